"""Every model of genai-prices: our SQL costs a call to the last digit what the package says, or says that it does not know."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from decimal import Decimal, localcontext

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice, StartDateConstraint, TieredPrices, TimeOfDateConstraint

from tracium.server.prices import catalogue, priced
from tracium.server.prices.key import PriceKey
from tracium.server.prices.period import INPUT_CLASSES
from tracium.server.prices.timelines import Timeline, draft
from tracium.server.scope import TenantScope

EDGES = [0, 1, 999, *(edge + step for edge in INPUT_CLASSES[1:] for step in (-1, 0, 1)), 3_000_000]
CALLS = """
SELECT call.1 AS number, toDateTime(call.2, 'UTC') AS Bucket, call.3 AS Provider, call.4 AS Model, '' AS RequestModel,
       '' AS ServerAddress, call.5 AS ServiceTier, call.6 AS InputClass, '' AS OtherUnits, toUInt64(1) AS Calls,
       call.7 AS PlainInputTokens, call.8 AS CacheReadTokens, call.9 AS CacheWriteTokens, call.10 AS OutputTokens
FROM (SELECT arrayJoin(JSONExtract({calls:String},
      'Array(Tuple(UInt32, UInt32, String, String, String, UInt32, UInt64, UInt64, UInt64, UInt64))')) AS call)
"""


def prices_of(model):
    standard = [model.prices] if isinstance(model.prices, ModelPrice) else [one.prices for one in model.prices]
    return standard + [one.prices for one in model.price_variants or ()]


def models():
    return [(provider, model) for provider in get_snapshot().providers for model in provider.models]


def cases():
    """For each model some calls: at random moments and at those where prices change, of random and of critical sizes."""
    rng = random.Random(7)
    for provider, model in models():
        contexts = [variant.when for variant in model.price_variants or ()]
        tiers = {when.get("service_tier") for when in contexts} | {when.get("processing") for when in contexts} - {None}
        starts = [
            one.constraint.start_date
            for one in [*(model.prices if isinstance(model.prices, list) else ()), *(model.price_variants or ())]
            if isinstance(one.constraint, StartDateConstraint)
        ]
        for tier in sorted({"", *filter(None, tiers)}):
            for _ in range(2):
                day = rng.choice(
                    [
                        datetime(2026, 11, 30, tzinfo=UTC),
                        *(datetime(d.year, d.month, d.day, tzinfo=UTC) for d in starts),
                    ]
                )
                moment = int(day.timestamp()) + 900 * rng.randrange(-96, 96)
                total = rng.choice([rng.choice(EDGES), rng.randrange(2_000_000)])
                read = rng.randrange(total + 1) if rng.random() < 0.5 else 0
                write = rng.randrange(total - read + 1) if rng.random() < 0.5 else 0
                output = rng.choice([0, 1, rng.randrange(1_000_000)])
                yield PriceKey(provider.id, model.id, "", "", tier), moment, total, read, write, output


def expected(key, moment, total, read, write, output):
    context = (
        {"processing" if key.service_tier == "batch" else "service_tier": key.service_tier}
        if key.service_tier
        else None
    )
    usage = Usage(input_tokens=total, cache_read_tokens=read, cache_write_tokens=write, output_tokens=output)
    with localcontext(prec=100):
        return calc_price(
            usage,
            key.model,
            provider_id=key.provider,
            genai_request_timestamp=datetime.fromtimestamp(moment, UTC),
            price_context=context,
        ).total_price


@pytest.mark.timeout(300)
def test_cost_is_what_genai_prices_says(store):
    """Over all models, tiers of service, dates, times of day and sizes of input: the same Decimal wherever there is one."""
    told = list(cases())
    keys = list(dict.fromkeys(key for key, *_ in told))
    lines = [Timeline(key, tuple(catalogue.compiled(key)), "", 0) for key in keys]
    prices, parameters = draft(lines)
    calls = [
        (
            number,
            moment,
            key.provider,
            key.model,
            key.service_tier,
            max(c for c in INPUT_CLASSES if c == 0 or total > c),
            total - read - write,
            read,
            write,
            output,
        )
        for number, (key, moment, total, read, write, output) in enumerate(told)
    ]
    rows = store.rows(TenantScope.all(), priced(CALLS, prices=prices), {"calls": json.dumps(calls), **parameters})
    assert len(rows) == len(told)
    known = [row for row in rows if row["Cost"] is not None]
    assert len(known) > 0.75 * len(rows)
    assert {row["UnpricedReason"] == "" for row in known} == {True}
    for row in known:
        assert row["Cost"] == expected(*told[row["number"]]), told[row["number"]]


def test_every_threshold_is_a_class_of_input():
    """The sizes at which prices of the installed release change are those that the column InputClass tells apart."""
    starts = {
        tier.start
        for _, model in models()
        for prices in prices_of(model)
        for price in vars(prices).values()
        if isinstance(price, TieredPrices)
        for tier in price.tiers
    }
    assert starts <= set(INPUT_CLASSES)


def test_every_change_within_a_day_is_at_a_quarter():
    """The times of day at which prices of the installed release change are buckets of the roll-ups."""
    windows = [
        one.constraint
        for _, model in models()
        if not isinstance(model.prices, ModelPrice)
        for one in model.prices
        if isinstance(one.constraint, TimeOfDateConstraint)
    ]
    assert windows
    assert all(end.minute % 15 == 0 and end.second == 0 for one in windows for end in (one.start_time, one.end_time))


def test_what_genai_prices_would_give_away_is_unpriced():
    """A model whose tokens have no price has none here, where the package says 0 for them."""
    free = calc_price(Usage(input_tokens=1000, output_tokens=1000), "gpt-4o", provider_id="github-copilot")
    assert free.total_price == Decimal(0)
    (period,) = catalogue.compiled(PriceKey("github-copilot", "gpt-4o", "", "", ""))
    assert "no price for the tokens" in period.reason
