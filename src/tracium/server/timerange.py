"""A stretch of time: from a moment up to, and without, another one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, Self
from zoneinfo import ZoneInfo, available_timezones

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# What a ClickHouse DateTime holds, in whole years.
_LATEST: Final = datetime(2106, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Half-open and in UTC: a span that ends at `start` belongs to it, one that ends at `end` does not.

    Raises:
        ValueError: a moment has no time zone, is one that no telemetry can have, or the end is before the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a time range needs moments with a time zone")
        if self.end < self.start:
            raise ValueError(f"a time range ends after it starts, but {self.end} is before {self.start}")
        if self.start < _EPOCH or self.end > _LATEST:
            raise ValueError(f"a time range lies between 1970 and 2105, not from {self.start} to {self.end}")

    @property
    def start_ns(self) -> int:
        """The first nanosecond since 1970 that belongs to it."""
        return nanoseconds(self.start)

    @property
    def end_ns(self) -> int:
        """The first nanosecond since 1970 that no longer belongs to it."""
        return nanoseconds(self.end)

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start

    def before(self, now: datetime) -> Self:
        """The range before it, as long as the part of it that has passed: like is compared with like."""
        passed = max(min(self.end, now), self.start) - self.start
        return type(self)(max(self.start - passed, _EPOCH), self.start)


def time_zone(name: str) -> ZoneInfo:
    """The time zone of a name.

    Raises:
        ValueError: the IANA database has no such zone; the system's files have some more, which the engine does not know.
    """
    if name not in _time_zones():
        raise ValueError("is no time zone: give a name of the IANA database, such as Europe/Berlin or UTC")
    return ZoneInfo(name)


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND * 1000
