"""Cost as SQL: any relation of model calls, with what they cost."""

from __future__ import annotations

from typing import Final

from tracium.server.prices.key import KEY_COLUMNS

# The prices that hold, as a relation of keys and their periods.
PRICES: Final = f"SELECT {', '.join(KEY_COLUMNS)}, Periods FROM tracium_prices FINAL"  # noqa: S608 - constants

# What a call used, a bit for each unit; the last one is of every call.
_UNITS: Final = (
    "toUInt8((PlainInputTokens > 0) + (OutputTokens > 0) * 2 + (CacheReadTokens > 0) * 4 + (CacheWriteTokens > 0) * 8 "
    "+ (OtherUnits != '') * 16 + 32)"
)
_SECOND: Final = "dateDiff('second', toDateTime(0, 'UTC'), calls.Bucket)"
_MINUTE: Final = f"intDiv(positiveModulo({_SECOND}, 86400), 60)"


def priced(relation: str, *, prices: str = PRICES) -> str:
    """SQL of a relation of model calls, with what they cost.

    Cost is a Decimal in US dollars, NULL where there is no price; it covers the usage that is known. Beside it stand
    IsPriced, UnpricedCalls, UnpricedReason ('' where there is a price), PriceSource and PriceVersion.

    Args:
        relation: a SELECT with the columns Bucket (or a span's EndTime under this name), Provider, Model, RequestModel,
            ServerAddress, ServiceTier, InputClass, OtherUnits, Calls, PlainInputTokens, CacheReadTokens,
            CacheWriteTokens and OutputTokens; it may have others.
        prices: the prices, if not those that hold.
    """
    return f"""
SELECT
    calls.*,
    -- Read only where it is asked for: text is what costs most.
    multiIf(
        OtherUnits != '', concat('no price for ', replaceAll(OtherUnits, ',', ', ')),
        PeriodReason != '', PeriodReason,
        NOT IsFound, 'the price was not looked up yet',
        bitTest(NoPrice, 0) AND PlainInputTokens > 0, 'no price for input tokens',
        bitTest(NoPrice, 1) AND OutputTokens > 0, 'no price for output tokens',
        bitTest(NoPrice, 2) AND CacheReadTokens > 0, 'no price for tokens that are read from a cache',
        bitTest(NoPrice, 3) AND CacheWriteTokens > 0, 'no price for tokens that are written to a cache',
        '') AS UnpricedReason,
    IsFound AND bitAnd(NoPrice, {_UNITS}) = 0 AS IsPriced,
    if(IsPriced,
       toDecimal256(PlainInputTokens, 0) * InputPrice + toDecimal256(CacheReadTokens, 0) * CacheReadPrice
       + toDecimal256(CacheWriteTokens, 0) * CacheWritePrice + toDecimal256(OutputTokens, 0) * OutputPrice
       + toDecimal256(Calls, 0) * RequestPrice, NULL) AS Cost,
    if(IsPriced, 0, toUInt64(Calls)) AS UnpricedCalls,
    PriceSource,
    PriceVersion
FROM ({relation}) AS calls
LEFT JOIN
(
    SELECT
        {_key("")} AS PeriodKey, true AS IsFound,
        period.ClassFrom AS PeriodClassFrom, period.ClassTo AS PeriodClassTo,
        period.ValidFrom AS PeriodFrom, period.ValidTo AS PeriodTo,
        period.DayFrom AS PeriodDayFrom, period.DayTo AS PeriodDayTo,
        -- One bit for each unit that PricedUnits tells of; the last one is a period without any price.
        toUInt8(isNull(period.Input) + isNull(period.Output) * 2 + isNull(period.CacheRead) * 4
                + isNull(period.CacheWrite) * 8 + 16 + (period.Reason != '') * 32) AS NoPrice,
        ifNull(period.Input, 0) AS InputPrice, ifNull(period.Output, 0) AS OutputPrice,
        ifNull(period.CacheRead, 0) AS CacheReadPrice, ifNull(period.CacheWrite, 0) AS CacheWritePrice,
        ifNull(period.Request, 0) AS RequestPrice,
        period.Reason AS PeriodReason, period.Source AS PriceSource, period.Version AS PriceVersion
    FROM ({prices}) ARRAY JOIN Periods AS period
) AS periods
ON {_key("calls.")} = PeriodKey
   AND calls.InputClass >= PeriodClassFrom AND calls.InputClass < PeriodClassTo
   AND {_SECOND} >= PeriodFrom AND {_SECOND} < PeriodTo AND {_MINUTE} >= PeriodDayFrom AND {_MINUTE} < PeriodDayTo
"""  # noqa: S608 - joined from constants and the caller's SQL


def _key(of: str) -> str:
    # 64 bits in the place of five strings: among the 20,000 keys that are kept two agree by chance once in 10^11 stores.
    # Each by itself first, which is done once for every name and not for every row.
    return f"cityHash64({', '.join(f'cityHash64({of}{column})' for column in KEY_COLUMNS)})"
