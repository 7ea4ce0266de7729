"""The parameters that say when, and the range of time that they make."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tracium.server.api.parameter import Parameter, ParameterError, Values
from tracium.server.timerange import TimeRange, time_zone

_AGE: Final = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_QUARTER: Final = timedelta(minutes=15)


def _moment_text(text: str) -> str:
    if text != "now" and not _AGE.fullmatch(text):
        _iso(text)
    return text


def _iso(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            "is neither a time in ISO 8601, such as 2026-01-31T12:00:00Z (write a + as %2B), nor an age, such as 24h, "
            "nor now"
        ) from error


def _zone(text: str) -> str:
    return time_zone(text).key


FROM: Final[Parameter[str]] = Parameter(
    "from",
    _moment_text,
    {"type": "string", "default": "24h"},
    "Where the range begins: a time in ISO 8601 (without an offset it is of `tz`), or an age such as 24h, 30m or 7d, which is "
    "taken back to the quarter of an hour.",
    "24h",
)
TO: Final[Parameter[str]] = Parameter(
    "to",
    _moment_text,
    {"type": "string", "default": "now"},
    "Where the range ends, and what it no longer has: as `from`, or now, which has all of the current quarter of an hour.",
    "now",
)
TZ: Final[Parameter[str]] = Parameter(
    "tz", _zone, {"type": "string", "default": "UTC"}, "The time zone whose days and months count.", "UTC"
)
RANGE: Final = (FROM, TO, TZ)


def time_range(values: Values) -> TimeRange:
    """The range of time that a request is about.

    Raises:
        ParameterError: it ends before it begins.
    """
    now = datetime.now(UTC)
    zone = ZoneInfo(values[TZ])
    try:
        # What ends now ends with its quarter of an hour: nothing more is in it yet, and the roll-ups have it whole.
        end = _quarter(now) + _QUARTER if values[TO] == "now" else _at(values[TO], zone, now)
        return TimeRange(_at(values[FROM], zone, now), end)
    except (ValueError, OverflowError) as error:
        raise ParameterError(f"from={values[FROM]!r} and to={values[TO]!r} make no range: {error}") from error


def _at(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    if text == "now":
        return now
    if age := _AGE.fullmatch(text):
        return _quarter(now - timedelta(**{_UNITS[age[2]]: int(age[1])}))
    moment = _iso(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _quarter(moment: datetime) -> datetime:
    """The beginning of the quarter of an hour that a moment lies in."""
    return datetime.fromtimestamp(moment.timestamp() // _QUARTER.total_seconds() * _QUARTER.total_seconds(), UTC)
