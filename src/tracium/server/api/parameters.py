"""The parameters that endpoints share."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from tracium.server.api.parameter import Parameter, ParameterError, Values
from tracium.server.queries import (
    TENANT_ORDERS,
    Bucket,
    Field,
    Question,
    Status,
    TenantFilter,
    TenantOrder,
    TraceFilter,
)
from tracium.server.timerange import TimeRange, time_zone

_Word = TypeVar("_Word", bound=StrEnum)

_AGE: Final = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_HEX: Final = re.compile(r"[0-9a-f]+", re.ASCII)
_ID_LENGTH: Final = 255
_MOST_TENANTS: Final = 100
_MOST_COMPARED: Final = 6
_QUARTER: Final = timedelta(minutes=15)
_MOST_POINTS: Final = 20_000
_SHORTEST: Final = {
    Bucket.QUARTER: _QUARTER,
    Bucket.HOUR: timedelta(hours=1),
    Bucket.DAY: timedelta(days=1),
    Bucket.MONTH: timedelta(days=28),
}


def _text(text: str) -> str:
    if not text:
        raise ValueError("is empty: leave the parameter out, or give it a value")
    return text


def _place(text: str) -> str:
    # An environment or a service may have no name.
    return text


def _tenant(text: str) -> str:
    if not 1 <= len(text) <= _ID_LENGTH:
        raise ValueError(f"is no tenant: an id has from 1 to {_ID_LENGTH} characters")
    return text


def _moment(text: str) -> str:
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


def _flag(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("is neither true nor false")
    return text == "true"


def _hexadecimal(length: int) -> Any:
    def read(text: str) -> str:
        lowered = text.lower()
        if len(lowered) != length or not _HEX.fullmatch(lowered):
            raise ValueError(f"is no id: it has {length} hexadecimal digits")
        return lowered

    return read


def _number(low: int, high: int) -> Any:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not low <= int(text[:10]) <= high:
            raise ValueError(f"is no whole number from {low} to {high}")
        return int(text)

    return read


def _milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 10**12:
        raise ValueError("is no number of milliseconds")
    return value


def _word(words: type[_Word]) -> Any:
    def read(text: str) -> _Word:
        try:
            return words(text)
        except ValueError as error:
            raise ValueError(f"is not one of {', '.join(words)}") from error

    return read


def _order(text: str) -> str:
    if text not in TENANT_ORDERS:
        raise ValueError(f"is not one of {', '.join(TENANT_ORDERS)}")
    return text


def _words(words: type[StrEnum]) -> dict[str, Any]:
    return {"type": "string", "enum": [word.value for word in words]}


_TEXT: Final = {"type": "string", "minLength": 1}
_FLAG: Final = {"type": "boolean"}

FROM: Final[Parameter[str]] = Parameter(
    "from",
    _moment,
    {"type": "string", "default": "24h"},
    "Where the range begins: a time in ISO 8601 (without an offset it is of `tz`), or an age such as 24h, 30m or 7d, which is "
    "taken back to the quarter of an hour.",
    "24h",
)
TO: Final[Parameter[str]] = Parameter(
    "to",
    _moment,
    {"type": "string", "default": "now"},
    "Where the range ends, and what it no longer has: as `from`, or now, which has all of the current quarter of an hour.",
    "now",
)
TZ: Final[Parameter[str]] = Parameter(
    "tz", _zone, {"type": "string", "default": "UTC"}, "The time zone whose days and months count.", "UTC"
)
ENVIRONMENT: Final[Parameter[str | None]] = Parameter(
    "environment", _place, {"type": "string"}, "Only this `deployment.environment.name`; empty is none.", None
)
SERVICE: Final[Parameter[str | None]] = Parameter(
    "service", _place, {"type": "string"}, "Only this `service.name`.", None
)
TENANT: Final[Parameter[tuple[str, ...]]] = Parameter(
    "tenant",
    _tenant,
    {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": _ID_LENGTH}, "maxItems": _MOST_TENANTS},
    "Only this tenant; may be repeated. `org_123:*` is every tenant whose id begins with `org_123:`.",
    (),
    repeats=True,
)
NONE: Final[Parameter[bool]] = Parameter(
    "none", _flag, _FLAG, "Also, or without `tenant` only, what belongs to no tenant.", default=False
)
COMPARED: Final[Parameter[tuple[str, ...]]] = Parameter(
    "tenant",
    _tenant,
    {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 2, "maxItems": _MOST_COMPARED},
    f"A tenant's whole id; from 2 to {_MOST_COMPARED} of them.",
    (),
    repeats=True,
)
BUCKET: Final[Parameter[Bucket | None]] = Parameter(
    "bucket",
    _word(Bucket),
    _words(Bucket),
    "How long a stretch of the series is; without it, what fits the range.",
    None,
)
COMPARE: Final[Parameter[bool]] = Parameter(
    "compare", _flag, {"type": "boolean", "default": True}, "Whether the period before is looked at, too.", default=True
)
SEARCH: Final[Parameter[str | None]] = Parameter(
    "search", _text, _TEXT, "A part of what is listed, in capitals or not.", None
)
SORT: Final[Parameter[TenantOrder]] = Parameter(
    "sort", _order, {"type": "string", "enum": list(TENANT_ORDERS), "default": "tokens"}, "By which number.", "tokens"
)


class Direction(StrEnum):
    """Which end of a list comes first."""

    ASCENDING = "asc"
    DESCENDING = "desc"


ORDER: Final[Parameter[Direction]] = Parameter(
    "order", _word(Direction), {**_words(Direction), "default": "desc"}, "Which end comes first.", Direction.DESCENDING
)
CURSOR: Final[Parameter[str | None]] = Parameter(
    "cursor", _text, _TEXT, "Where the page begins: `next` of the answer before.", None
)


def limit(default: int, most: int) -> Parameter[int]:
    """How many rows an answer has at most."""
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return Parameter("limit", _number(1, most), schema, "How many rows at most.", default)


PAGE: Final = limit(100, 10_000)
TRACES: Final = limit(50, 500)
GROUPS: Final = limit(100, 1000)
VALUES: Final = limit(100, 1000)

TENANT_ID: Final[Parameter[str]] = Parameter(
    "id", _tenant, _TEXT, "The tenant's id, percent-encoded.", "", in_path=True
)
SESSION_ID: Final[Parameter[str]] = Parameter(
    "id", _text, _TEXT, "The session's id, percent-encoded.", "", in_path=True
)
TRACE_ID: Final[Parameter[str]] = Parameter(
    "id", _hexadecimal(32), {"type": "string", "pattern": "^[0-9a-fA-F]{32}$"}, "The trace's id.", "", in_path=True
)
SPAN_ID: Final[Parameter[str]] = Parameter(
    "span_id", _hexadecimal(16), {"type": "string", "pattern": "^[0-9a-fA-F]{16}$"}, "The span's id.", "", in_path=True
)
COLUMNS: Final[Parameter[bool]] = Parameter(
    "columns",
    _flag,
    {"type": "boolean", "default": False},
    "Give `rows` as one list for each field, and without attributes and events: for a waterfall.",
    default=False,
)
STATUS: Final[Parameter[Status | None]] = Parameter(
    "status", _word(Status), _words(Status), "Only traces with a span that ended so.", None
)
MODEL: Final[Parameter[str | None]] = Parameter("model", _text, _TEXT, "Only with a span of this model.", None)
AGENT: Final[Parameter[str | None]] = Parameter("agent", _text, _TEXT, "Only with a span of this agent.", None)
USER: Final[Parameter[str | None]] = Parameter("user", _text, _TEXT, "Only with a span of this `user.id`.", None)
SESSION: Final[Parameter[str | None]] = Parameter(
    "session", _text, _TEXT, "Only with a span of this `session.id` or conversation.", None
)
OPERATION: Final[Parameter[str | None]] = Parameter(
    "operation", _text, _TEXT, "Only with a span of this `gen_ai.operation.name`.", None
)
ERROR_TYPE: Final[Parameter[str | None]] = Parameter(
    "error_type", _text, _TEXT, "Only with a span of this `error.type`.", None
)
TEXT: Final[Parameter[str | None]] = Parameter(
    "text",
    _text,
    _TEXT,
    "Only with a span that has this text in its name, its status message or, where they may be seen, its attributes.",
    None,
)
MINIMUM: Final[Parameter[float | None]] = Parameter(
    "minimum_ms", _milliseconds, {"type": "number", "minimum": 0}, "Only with a span that took as long.", None
)
LIVE: Final[Parameter[bool]] = Parameter(
    "live",
    _flag,
    {"type": "boolean", "default": False},
    "What is newer than `cursor`, which is then `newest`.",
    default=False,
)
FIELD: Final[Parameter[tuple[Field, ...]]] = Parameter(
    "field",
    _word(Field),
    {"type": "array", "items": _words(Field)},
    "Of what; may be repeated. Without it, of all but users.",
    tuple(field for field in Field if field is not Field.USER),
    repeats=True,
)

# When, whose and where.
RANGE: Final = (FROM, TO, TZ)
ASKED: Final = (*RANGE, TENANT, NONE, ENVIRONMENT, SERVICE)
FILTER: Final = (STATUS, MODEL, AGENT, USER, SESSION, OPERATION, ERROR_TYPE, TEXT, MINIMUM)


def question(values: Values, tenants: TenantFilter | None = None) -> Question:
    """What a request with `ASKED` asks; with `RANGE`, ENVIRONMENT and SERVICE alone where `tenants` are given.

    Raises:
        ParameterError: the range ends before it begins.
    """
    if tenants is None:
        tenants = TenantFilter.of(*values[TENANT], with_none=values[NONE])
    return Question(
        time_range(values), tenants, environment=values[ENVIRONMENT], service=values[SERVICE], timezone=values[TZ]
    )


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


def trace_filter(values: Values, *, with_attributes: bool) -> TraceFilter:
    """Which traces a request with `FILTER` asks for."""
    return TraceFilter(
        status=values[STATUS],
        model=values[MODEL],
        agent=values[AGENT],
        user=values[USER],
        session=values[SESSION],
        operation=values[OPERATION],
        error_type=values[ERROR_TYPE],
        text=values[TEXT],
        with_attributes=with_attributes,
        minimum_ms=values[MINIMUM],
    )


def bucket(values: Values, asked: Question, courses: int = 1) -> Bucket | None:
    """How long a stretch of a request's series is, as it says.

    Args:
        values: what the request says.
        asked: what it asks.
        courses: how many series there are.

    Raises:
        ParameterError: there would be more points than anybody can look at.
    """
    wanted = values[BUCKET]
    if wanted is not None and asked.range.length * courses > _MOST_POINTS * _SHORTEST[wanted]:
        raise ParameterError(
            f"bucket={wanted.value} makes more than {_MOST_POINTS} points of this range: give a longer one, or a shorter range"
        )
    return wanted


def compared(values: Values) -> tuple[str, ...]:
    """The tenants that a request wants beside each other.

    Raises:
        ParameterError: there are too few, or too many.
    """
    tenants = tuple(dict.fromkeys(values[COMPARED]))
    if not 2 <= len(tenants) <= _MOST_COMPARED:  # noqa: PLR2004 - one is not compared
        raise ParameterError(f"tenant is given {len(tenants)} times: give from 2 to {_MOST_COMPARED} different ones")
    return tenants


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
