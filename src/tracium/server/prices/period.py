"""Prices of one key over all of time: boxes that lie side by side without a gap, and how they are cut and joined."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from decimal import Decimal

    Choice = Callable[["Period", "Period"], "Period"]

# The classes of a call's input that the column InputClass tells apart: the largest of these that the input exceeds.
INPUT_CLASSES: Final = (0, 32000, 100000, 128000, 199999, 200000, 256000, 272000, 512000, 524288)
# Ends of the boxes: no class, no second of a DateTime and no minute of a day is larger.
NO_CLASS: Final = 2**32 - 1
NO_TIME: Final = 2**32 - 1
NO_MINUTE: Final = 24 * 60
# Seconds in a bucket of the roll-ups: within one, prices cannot change.
QUARTER: Final = 15 * 60

_AXES: Final = ("valid", "day", "class")


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """US dollars for one token, or one request; None: nobody knows."""

    input: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    output: Decimal | None = None
    request: Decimal | None = None

    def adds_to(self, other: UnitPrices) -> bool:
        """Whether these prices are `other`'s, and more."""
        pairs = list(zip(astuple(self), astuple(other), strict=True))
        return self != other and all(theirs is None or ours == theirs for ours, theirs in pairs)


@dataclass(frozen=True, slots=True)
class Box:
    """A class of input, a stretch of time and a time of the day, from a beginning up to, and without, an end.

    Classes are those of `INPUT_CLASSES`, moments seconds since 1970, the time of day minutes in UTC.
    """

    class_from: int = 0
    class_to: int = NO_CLASS
    valid_from: int = 0
    valid_to: int = NO_TIME
    day_from: int = 0
    day_to: int = NO_MINUTE

    @property
    def is_empty(self) -> bool:
        """Whether nothing can fall into it."""
        return self.class_from >= self.class_to or self.valid_from >= self.valid_to or self.day_from >= self.day_to

    def common(self, other: Box) -> Box:
        """What belongs to both."""
        return Box(
            class_from=max(self.class_from, other.class_from),
            class_to=min(self.class_to, other.class_to),
            valid_from=max(self.valid_from, other.valid_from),
            valid_to=min(self.valid_to, other.valid_to),
            day_from=max(self.day_from, other.day_from),
            day_to=min(self.day_to, other.day_to),
        )

    def joined(self, other: Box) -> Box | None:
        """One box for two that touch, or None where two are needed."""
        for axis in _AXES:
            start, end = f"{axis}_from", f"{axis}_to"
            first, second = sorted((self, other), key=lambda box: int(getattr(box, start)))
            if getattr(first, end) == getattr(second, start):
                both = replace(second, **{start: getattr(first, start)})
                return both if both == replace(first, **{end: getattr(second, end)}) else None
        return None


@dataclass(frozen=True, slots=True)
class Period:
    """The prices of what falls into a box."""

    box: Box = Box()
    prices: UnitPrices = UnitPrices()
    # "genai-prices" or "override"; "" where there is no price.
    source: str = ""
    # The release of genai-prices, or name and digest of the overrides, in which these prices were first found.
    version: str = ""
    # The model of genai-prices, or what the override's table is for.
    matched: str = ""
    # Why there is no price; "" where there is one.
    reason: str = ""

    def to_row(self) -> tuple[Any, ...]:
        """The element of the column Periods."""
        told = (self.source, self.version, self.matched, self.reason)
        return (*astuple(self.box), *astuple(self.prices), *told)

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Period:
        """Read what `to_row` wrote."""
        return cls(Box(*row[:6]), UnitPrices(*row[6:11]), *row[11:])


def clip(periods: Iterable[Period], start: int, end: int) -> list[Period]:
    """What of the periods lies in a stretch of time, in seconds since 1970."""
    window = Box(valid_from=start, valid_to=end)
    cut = (replace(one, box=one.box.common(window)) for one in periods)
    return [one for one in cut if not one.box.is_empty]


def overlay(below: Sequence[Period], above: Sequence[Period], start: int, end: int) -> list[Period]:
    """`above` from `start` to `end`, and `below` before and after."""
    return joined([*clip(below, 0, start), *clip(above, start, end), *clip(below, end, NO_TIME)])


def continued(old: Sequence[Period], new: Sequence[Period], at: int) -> list[Period]:
    """`new` from a moment on. Before it `old`, but for what had no price: nothing changes that was shown as money."""
    return joined([*_combined(clip(old, 0, at), new, _news), *clip(new, at, NO_TIME)])


def joined(periods: Iterable[Period]) -> list[Period]:
    """The same prices in as few boxes as lie side by side; of equal prices the version that had them first is kept."""
    boxes = sorted(periods, key=lambda one: (one.box.class_from, one.box.day_from, one.box.valid_from))
    while True:
        fewer = _joined_once(boxes)
        if len(fewer) == len(boxes):
            return sorted(boxes, key=lambda one: (one.box.valid_from, one.box.day_from, one.box.class_from))
        boxes = fewer


def _news(old: Period, new: Period) -> Period:
    if new.reason:
        return old
    return new if old.reason or new.prices.adds_to(old.prices) else old


def _combined(left: Iterable[Period], right: Sequence[Period], choose: Choice) -> Iterator[Period]:
    """Cut each box where one of the other side begins or ends, and choose between the two for each piece."""
    for one in left:
        for other in right:
            box = one.box.common(other.box)
            if not box.is_empty:
                yield replace(choose(one, other), box=box)


def _joined_once(periods: Sequence[Period]) -> list[Period]:
    kept: list[Period] = []
    for period in periods:
        for index, before in enumerate(kept):
            if union := _union(before, period):
                kept[index] = union
                break
        else:
            kept.append(period)
    return kept


def _union(one: Period, other: Period) -> Period | None:
    """One period for two of equal prices that touch, or None."""
    if replace(one, box=other.box, version=other.version) != other:
        return None
    box = one.box.joined(other.box)
    first = min(one, other, key=lambda period: period.box.valid_from)
    return None if box is None else replace(first, box=box)
