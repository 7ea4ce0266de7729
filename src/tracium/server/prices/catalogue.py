"""The prices of genai-prices, compiled into periods. Run in a process of its own: the package takes 100 MB of memory.

``python -m tracium.server.prices.catalogue`` reads keys as JSON and prints their periods; `look_up` is the other end.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import astuple
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from importlib.metadata import version as installed_version
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from tracium.exceptions import TraciumError
from tracium.server.prices.key import PriceKey, canonical_provider
from tracium.server.prices.period import (
    INPUT_CLASSES,
    NO_CLASS,
    NO_MINUTE,
    NO_TIME,
    QUARTER,
    Box,
    Period,
    UnitPrices,
    joined,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

SOURCE: Final = "genai-prices"

_EVERYTHING: Final = Box()
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DEADLINE_SECONDS: Final = 60
# Decimal(38, 24) holds no finer price and none this large.
_FINEST: Final = -24
_LARGEST: Final = Decimal(10) ** 14
_UNITS: Final = ("input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok")
# Output that is billed apart while spans tell one number for all output.
_MIXED_OUTPUT: Final = {
    "output_audio_mtok": "audio",
    "output_citation_mtok": "citations",
    "output_image_mtok": "images",
    "output_reasoning_mtok": "reasoning",
    "output_video_mtok": "video",
}


class LookUpError(TraciumError):
    """Prices cannot be looked up in genai-prices; the message says why."""


@cache
def package_version() -> str:
    """The release of genai-prices that is installed; looking it up loads nothing of the package."""
    return installed_version("genai-prices")


def look_up(keys: Sequence[PriceKey]) -> list[list[Period]]:
    """The periods of each key, by a process that ends when it has answered.

    Raises:
        LookUpError: it ended without an answer.
    """
    if not keys:
        return []
    try:
        # -P: the working directory, which is the store's, is no place to import from. A session of its own: Ctrl-C is
        # for the server.
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tracium.server.prices.catalogue"],
            input=json.dumps(keys),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=_DEADLINE_SECONDS,
            check=True,
            start_new_session=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        told = (getattr(error, "stderr", None) or str(error)).strip().rpartition("\n")[2]
        raise LookUpError(
            f"the prices of genai-prices cannot be looked up: {told}. "
            'Is the package whole? pip install --force-reinstall "genai-prices"'
        ) from error
    return [[_from_json(period) for period in periods] for periods in json.loads(done.stdout)]


def compiled(key: PriceKey) -> list[Period]:
    """The periods of one key, in this process.

    Calls are priced for the response's model at the provider that the span names, or at the one that the server's
    address belongs to, where that is another one.
    """
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - 100 MB

    snapshot = get_snapshot()
    if not key.model:
        return [_unpriced("the span names no model")]
    try:
        provider = _provider(snapshot, key)
    except LookupError:
        named = f"has no provider {key.provider!r}" if key.provider else "is not asked: the span names no provider"
        return [_unpriced(f"{SOURCE} {named}")]
    model = provider.find_model(key.model, all_providers=snapshot.providers)
    if model is None:
        return [_unpriced(f"{SOURCE} has no model {key.model!r} of {provider.id}")]
    return joined(_periods(provider, model, key))


def _provider(snapshot: DataSnapshot, key: PriceKey) -> Provider:
    """The provider that bills the call.

    Raises:
        LookupError: nobody knows.
    """
    name = canonical_provider(key.provider)
    url = f"https://{key.server_address.strip().lower()}/"
    at_address = [one for one in snapshot.providers if key.server_address and re.match(one.api_pattern, url)]
    if not name:
        if at_address:
            return at_address[0]
        raise LookupError
    try:
        named = snapshot.find_provider(None, name, None)
    except LookupError:
        if at_address:
            return at_address[0]
        raise
    # The client library of one provider is often used to talk to another one.
    return named if not at_address or named in at_address else at_address[0]


def _periods(provider: Provider, model: ModelInfo, key: PriceKey) -> Iterator[Period]:
    for valid_from, valid_to in pairwise(_dates(model)):
        for day_from, day_to in pairwise(_minutes(model)):
            moment = _EPOCH + timedelta(seconds=valid_from, minutes=day_from)
            found = _model_price(provider, model, key, moment)
            if day_from * 60 % QUARTER or day_to * 60 % QUARTER:
                found = f"{SOURCE} changes the price within a quarter of an hour"
            for class_from, class_to in pairwise((*INPUT_CLASSES, NO_CLASS)):
                box = Box(class_from, class_to, valid_from, valid_to, day_from, day_to)
                if isinstance(found, str):
                    yield _unpriced(found, box)
                else:
                    yield _priced(found, f"{provider.id}/{model.id}", box)


def _dates(model: ModelInfo) -> list[int]:
    """The moments at which a price of the model begins, in seconds since 1970, with the first and the last of all."""
    from genai_prices.types import StartDateConstraint  # noqa: PLC0415 - 100 MB

    dates = (one.start_date for one in _constraints(model) if isinstance(one, StartDateConstraint))
    starts = (int(datetime(one.year, one.month, one.day, tzinfo=UTC).timestamp()) for one in dates)
    return sorted({0, NO_TIME, *(min(max(one, 0), NO_TIME) for one in starts)})


def _minutes(model: ModelInfo) -> list[int]:
    """The minutes of the UTC day at which a price of the model begins or ends, with the first and the last."""
    from genai_prices.types import TimeOfDateConstraint  # noqa: PLC0415 - 100 MB

    windows = [one for one in _constraints(model) if isinstance(one, TimeOfDateConstraint)]
    return sorted({0, NO_MINUTE, *(_minute(end) for one in windows for end in (one.start_time, one.end_time))})


def _minute(moment: time) -> int:
    shift = moment.utcoffset() or timedelta()
    # Up, so that a window that begins within a minute is seen by the rule about quarters.
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second + bool(moment.microsecond) - shift.total_seconds()
    return int(-(-seconds // 60)) % NO_MINUTE


def _constraints(model: ModelInfo) -> Iterator[object]:
    from genai_prices.types import ModelPrice  # noqa: PLC0415 - 100 MB

    if not isinstance(model.prices, ModelPrice):
        yield from (one.constraint for one in model.prices)
    yield from (one.constraint for one in model.price_variants or ())


def _model_price(provider: Provider, model: ModelInfo, key: PriceKey, moment: datetime) -> ModelPrice | str:
    """The prices at a moment, or why there is none for the tier of service."""
    if key.is_standard:
        return model.get_prices(moment)
    tier = key.service_tier
    # One name for what is ordered as a batch; another provider's model has the prices of its own tiers only.
    for context in ({"service_tier": tier}, {"processing": tier}):
        for variant in model.price_variants or () if any(one is model for one in provider.models) else ():
            in_force = variant.constraint is None or variant.constraint.active(moment)
            if variant.when == context and in_force and _told(variant.prices):
                return model.get_prices(moment, context)
    return f"{SOURCE} has no price of {provider.id}/{model.id} for the service tier {tier!r} at that time"


def _told(prices: ModelPrice) -> bool:
    return any(value is not None for value in vars(prices).values())


def _priced(found: ModelPrice, matched: str, box: Box) -> Period:
    """The prices for one class of input, or why there are none."""
    try:
        prices = _unit_prices(found, box.class_from, box.class_to)
    except LookupError as error:
        return _unpriced(str(error.args[0]), box, matched)
    if prices == UnitPrices():
        return _unpriced(f"{SOURCE} has no price for the tokens of {matched}", box, matched)
    return Period(box, prices, SOURCE, package_version(), matched)


def _unit_prices(found: ModelPrice, class_from: int, class_to: int) -> UnitPrices:
    """US dollars for one of each unit.

    Raises:
        LookupError: a price cannot be told from what spans tell; the argument is why.
    """
    per_token = [_per(_at(getattr(found, unit), class_from, class_to), 1_000_000) for unit in _UNITS]
    plain, read, write, output = per_token
    if output is not None:
        for unit, what in _MIXED_OUTPUT.items():
            if getattr(found, unit, None) is not None:
                raise LookupError(f"{SOURCE} bills {what} apart from other output, and spans do not tell them apart")
    # What has no price of its own is billed as the input that it is, as genai-prices does.
    return UnitPrices(
        input=plain,
        cache_read=plain if read is None else read,
        cache_write=plain if write is None else write,
        output=output,
        request=_per(_at(found.requests_kcount, class_from, class_to), 1_000),
    )


def _at(price: Decimal | TieredPrices | None, class_from: int, class_to: int) -> Decimal | None:
    """The price of one class of input."""
    if price is None or isinstance(price, Decimal):
        return price
    applicable = price.base
    # Sorted by their starts; a tier holds for an input that exceeds its start.
    for tier in price.tiers:
        if class_from < tier.start < class_to:
            raise LookupError(f"{SOURCE} changes the price at {tier.start} tokens of input, which is no class of input")
        if tier.start <= class_from:
            applicable = tier.price
    return applicable


def _per(price: Decimal | None, units: int) -> Decimal | None:
    # A zero in a list of prices says that nobody wrote the price down.
    if price is None or price == 0:
        return None
    one = price / units
    if one * units != price or Decimal(one.normalize().as_tuple().exponent) < _FINEST or one >= _LARGEST:
        raise LookupError(f"{SOURCE} has a price that is finer or larger than can be kept: {price}")
    return one


def _unpriced(reason: str, box: Box = _EVERYTHING, matched: str = "") -> Period:
    return Period(box, UnitPrices(), "", package_version(), matched, reason)


def _from_json(row: Sequence[Any]) -> Period:
    prices = (None if one is None else Decimal(one) for one in row[6:11])
    return Period.from_row((*row[:6], *prices, *row[11:]))


def _to_json(period: Period) -> list[Any]:
    row = period.to_row()
    prices = (None if one is None else str(one) for one in astuple(period.prices))
    return [*row[:6], *prices, *row[11:]]


def _answer(keys: Iterable[Sequence[str]]) -> str:
    return json.dumps([[_to_json(period) for period in compiled(PriceKey(*key))] for key in keys])


if __name__ == "__main__":
    sys.stdout.write(_answer(json.load(sys.stdin)))
