"""Stretches of time of one length, as the reader's clock has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from tracium.server.scope import literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracium.server.timerange import TimeRange

# So many points fill a chart.
_MOST_POINTS: Final = 100


class Bucket(StrEnum):
    """The length of a stretch; days and months are those of a time zone, whatever its clock does."""

    QUARTER = "15m"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"

    @classmethod
    def fitting(cls, time_range: TimeRange) -> Bucket:
        """The shortest one of which a chart of the range has room for every point."""
        if time_range.length <= _MOST_POINTS * timedelta(minutes=15):
            return cls.QUARTER
        if time_range.length <= 2 * _MOST_POINTS * timedelta(hours=1):
            return cls.HOUR
        return cls.DAY if time_range.length <= 4 * _MOST_POINTS * timedelta(days=1) else cls.MONTH

    def sql(self, timezone: str) -> str:
        """Where the stretch of a roll-up's row begins, as SQL over a relation with the name `one`."""
        zone = literal(timezone)
        # In local time an hour may be there twice: hours are counted in UTC from where the zone's begin.
        return {
            Bucket.QUARTER: "one.Bucket",
            Bucket.HOUR: f"toDateTime(toUnixTimestamp(toStartOfHour(toTimeZone(one.Bucket, {zone}))), 'UTC')",
            Bucket.DAY: f"toDateTime(toUnixTimestamp(toStartOfDay(toTimeZone(one.Bucket, {zone}))), 'UTC')",
            Bucket.MONTH: f"toTimeZone(toDateTime(toStartOfMonth(toTimeZone(one.Bucket, {zone})), {zone}), 'UTC')",
        }[self]

    def starts(self, time_range: TimeRange, timezone: str) -> Iterator[datetime]:
        """Where every stretch of a range begins, in UTC; the first may begin before the range."""
        at = self.start_of(time_range.start, ZoneInfo(timezone))
        while at < time_range.end:
            yield at
            at = self._next(at, ZoneInfo(timezone))

    def start_of(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """Where the stretch that a moment lies in begins, in UTC."""
        local = moment.astimezone(zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        match self:
            case Bucket.QUARTER:
                return moment.astimezone(UTC) - timedelta(seconds=moment.timestamp() % 900)
            case Bucket.HOUR:
                into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
                return moment.astimezone(UTC) - into
            case Bucket.DAY:
                return midnight.astimezone(UTC)
            case Bucket.MONTH:
                return midnight.replace(day=1).astimezone(UTC)

    def _next(self, start: datetime, zone: ZoneInfo) -> datetime:
        # Half of the shortest stretch of its kind beyond its own length lies in the next one, whatever the clock does.
        beyond = {
            Bucket.QUARTER: timedelta(minutes=15),
            Bucket.HOUR: timedelta(hours=1),
            Bucket.DAY: timedelta(hours=36),
            Bucket.MONTH: timedelta(days=45),
        }[self]
        return self.start_of(start + beyond, zone)
