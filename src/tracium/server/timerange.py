"""A stretch of time: from a moment up to, and without, another one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Half-open and in UTC: a span that ends at `start` belongs to it, one that ends at `end` does not.

    Raises:
        ValueError: a moment has no time zone, or the end is before the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a time range needs moments with a time zone")
        if self.end < self.start:
            raise ValueError(f"a time range ends after it starts, but {self.end} is before {self.start}")

    @property
    def start_ns(self) -> int:
        """The first nanosecond since 1970 that belongs to it."""
        return _nanoseconds(self.start)

    @property
    def end_ns(self) -> int:
        """The first nanosecond since 1970 that no longer belongs to it."""
        return _nanoseconds(self.end)


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND * 1000
