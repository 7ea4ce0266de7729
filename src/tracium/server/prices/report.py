"""What is priced and what is not: the answer of `tracium prices`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Self

from tracium.server.prices import timelines
from tracium.server.prices.calls import CALLS
from tracium.server.prices.period import NO_CLASS, NO_MINUTE, NO_TIME
from tracium.server.prices.sql import priced
from tracium.server.scope import TenantScope

if TYPE_CHECKING:
    from tracium.server.prices.period import Period
    from tracium.server.prices.timelines import Timeline
    from tracium.server.store import Store

_MILLION: Final = 1_000_000
_UNPRICED: Final = f"""
SELECT Provider AS provider, Model AS model, ServiceTier AS service_tier, UnpricedReason AS reason,
       sum(UnpricedCalls) AS calls, sum(toUInt128(InputTokens)) AS input_tokens,
       sum(toUInt128(OutputTokens)) AS output_tokens
FROM ({priced(CALLS)})
WHERE UnpricedReason != ''
GROUP BY provider, model, service_tier, reason
ORDER BY calls DESC, provider, model, service_tier, reason
"""  # noqa: S608 - joined from constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Prices of a model that was seen, in US dollars for a million tokens, or for one request; None: nobody knows."""

    provider: str
    model: str
    # "" where the price is the same for each.
    server_address: str
    request_model: str
    service_tier: str
    # The input of a call that exceeds so many tokens, and does not exceed so many.
    above: int
    up_to: int | None
    # From when, and until when; None: always.
    start: datetime | None
    end: datetime | None
    # Times of the UTC day, as 00:30; None: all day.
    day_start: str | None
    day_end: str | None
    input: Decimal | None
    cache_read: Decimal | None
    cache_write: Decimal | None
    output: Decimal | None
    request: Decimal | None
    # "genai-prices" or "override", and the version that had these prices first.
    source: str
    version: str
    # The model of genai-prices, or what the override's table is for.
    matched: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpriced:
    """Model calls without a price."""

    provider: str
    model: str
    service_tier: str
    reason: str
    calls: int
    # Of these calls, as far as they told.
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class PriceReport:
    """Every price of what was seen, and what has none."""

    prices: tuple[Price, ...]
    unpriced: tuple[Unpriced, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON's types; prices are strings, times ISO 8601 in UTC."""
        return {
            "currency": "USD",
            "prices": [{name: _plain(value) for name, value in asdict(one).items()} for one in self.prices],
            "unpriced": [asdict(one) for one in self.unpriced],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            KeyError: a field is missing.
        """
        return cls(
            tuple(_price(one) for one in value["prices"]),
            tuple(Unpriced(**{field.name: one[field.name] for field in fields(Unpriced)}) for one in value["unpriced"]),
        )


def report(store: Store) -> PriceReport:
    """What is priced in a store, and what is not, of all that was received.

    Raises:
        StoreError: the store could not answer.
    """
    listed = [_listed(line, period) for line in timelines.read(store).values() for period in line.periods]
    unpriced = tuple(Unpriced(**row) for row in store.rows(TenantScope.all(), _UNPRICED))
    return PriceReport(tuple(dict.fromkeys(one for one in listed if one is not None)), unpriced)


def _listed(line: Timeline, period: Period) -> Price | None:
    if period.reason:
        return None
    key, box, prices = line.key, period.box, period.prices
    is_particular = period.source == "override"
    return Price(
        provider=key.provider,
        model=key.model,
        server_address=key.server_address if is_particular else "",
        request_model=key.request_model if is_particular else "",
        service_tier=key.service_tier,
        above=box.class_from,
        up_to=None if box.class_to == NO_CLASS else box.class_to,
        start=_moment(box.valid_from, 0),
        end=_moment(box.valid_to, NO_TIME),
        day_start=_time(box.day_from, 0),
        day_end=_time(box.day_to, NO_MINUTE),
        input=_per_million(prices.input),
        cache_read=_per_million(prices.cache_read),
        cache_write=_per_million(prices.cache_write),
        output=_per_million(prices.output),
        request=None if prices.request is None else _short(prices.request),
        source=period.source,
        version=period.version,
        matched=period.matched,
    )


def _moment(seconds: int, always: int) -> datetime | None:
    return None if seconds == always else datetime.fromtimestamp(seconds, UTC)


def _time(minutes: int, always: int) -> str | None:
    return None if minutes == always else f"{minutes // 60:02d}:{minutes % 60:02d}"


def _per_million(price: Decimal | None) -> Decimal | None:
    return None if price is None else _short(price * _MILLION)


def _short(price: Decimal) -> Decimal:
    """The same number without zeros at its end, and without an exponent."""
    return Decimal(f"{price.normalize():f}")


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, datetime) else value


def _price(value: dict[str, Any]) -> Price:
    told = {field.name: value[field.name] for field in fields(Price)}
    for name in ("input", "cache_read", "cache_write", "output", "request"):
        told[name] = None if told[name] is None else Decimal(told[name])
    for name in ("start", "end"):
        told[name] = None if told[name] is None else datetime.fromisoformat(told[name])
    return Price(**told)
