"""The stretch of time that a page is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

from tracium.server.timerange import TimeRange

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

# The store counts in these: a range that begins and ends with one is answered without looking at a single span.
BUCKET: Final = timedelta(minutes=15)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTH: Final = "month"
_SPANS: Final[Mapping[str, timedelta]] = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
PRESETS: Final = (*_SPANS, _MONTH)
DEFAULT: Final = "24h"
_WORDS: Final = {
    "15m": "last 15 minutes",
    "1h": "last hour",
    "24h": "last 24 hours",
    "7d": "last 7 days",
    "30d": "last 30 days",
    _MONTH: "this month",
}
_MOST: Final = timedelta(days=800)


@dataclass(frozen=True, slots=True)
class Period:
    """A range, and the preset that it comes from; None for one that was typed."""

    preset: str | None
    range: TimeRange

    @classmethod
    def of(cls, preset: str, now: datetime, zone: ZoneInfo) -> Self:
        """What a preset means at a moment: at least that long, and in whole buckets.

        Args:
            preset: one of `PRESETS`.
            now: the moment, with a time zone.
            zone: where the month begins.

        Raises:
            ValueError: there is no such preset.
        """
        end = _bucket(now) + BUCKET
        if preset == _MONTH:
            local = now.astimezone(zone)
            first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            return cls(preset, TimeRange(first.astimezone(UTC), end))
        if preset not in _SPANS:
            raise ValueError(
                f"range={preset!r} is no range of time: choose from {', '.join(PRESETS)}, or give from and to"
            )
        return cls(preset, TimeRange(_bucket(now) - _SPANS[preset], end))

    @classmethod
    def between(cls, start: str, end: str, zone: ZoneInfo) -> Self:
        """What was typed; a moment without an offset is one on the clocks of `zone`.

        Raises:
            ValueError: one of them is no time, or they do not follow each other.
        """
        typed = TimeRange(_moment("from", start, zone), _moment("to", end, zone))
        if typed.start == typed.end:
            raise ValueError("from and to are the same moment: a range of time needs some length")
        if typed.end - typed.start > _MOST:
            raise ValueError(f"a range of time has at most {_MOST.days} days here")
        return cls(None, typed)

    @property
    def before(self) -> TimeRange:
        """The range of the same length that ends where this one begins."""
        return TimeRange(self.range.start - (self.range.end - self.range.start), self.range.start)

    @property
    def words(self) -> str:
        """How a heading says it."""
        return _WORDS[self.preset] if self.preset else "chosen range"


def _bucket(moment: datetime) -> datetime:
    return moment - (moment - _EPOCH) % BUCKET


def _moment(name: str, text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        local = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
        return local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name}={text!r} is no time in ISO 8601, such as 2026-01-31T12:00") from error
