"""The parameters that endpoints share, besides those of `range`."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from tracium.server.api.parameter import Parameter
from tracium.server.api.range import RANGE
from tracium.server.api.text import (
    any_text,
    flag,
    hexadecimal,
    milliseconds,
    number,
    order,
    place,
    tenant_id,
    word,
)
from tracium.server.queries import TENANT_ORDERS, Bucket, Field, Status, TenantOrder
from tracium.server.scope import MAX_TENANT_LENGTH

MOST_COMPARED: Final = 6
_MOST_TENANTS: Final = 100


def _words(words: type[StrEnum]) -> dict[str, Any]:
    return {"type": "string", "enum": [word.value for word in words]}


_TEXT: Final = {"type": "string", "minLength": 1}
_TENANT: Final = {"type": "string", "minLength": 1, "maxLength": MAX_TENANT_LENGTH}
_FLAG: Final = {"type": "boolean"}

ENVIRONMENT: Final[Parameter[str | None]] = Parameter(
    "environment", place, {"type": "string"}, "Only this `deployment.environment.name`; empty is none.", None
)
SERVICE: Final[Parameter[str | None]] = Parameter(
    "service", place, {"type": "string"}, "Only this `service.name`.", None
)
TENANT: Final[Parameter[tuple[str, ...]]] = Parameter(
    "tenant",
    tenant_id,
    {"type": "array", "items": _TENANT, "maxItems": _MOST_TENANTS},
    "Only this tenant; may be repeated. `org_123:*` is every tenant whose id begins with `org_123:`.",
    (),
    repeats=True,
)
NONE: Final[Parameter[bool]] = Parameter(
    "none", flag, _FLAG, "Also, or without `tenant` only, what belongs to no tenant.", default=False
)
COMPARED: Final[Parameter[tuple[str, ...]]] = Parameter(
    "tenant",
    tenant_id,
    {"type": "array", "items": _TENANT, "minItems": 2, "maxItems": MOST_COMPARED},
    f"A tenant's whole id; from 2 to {MOST_COMPARED} of them.",
    (),
    repeats=True,
)
BUCKET: Final[Parameter[Bucket | None]] = Parameter(
    "bucket",
    word(Bucket),
    _words(Bucket),
    "How long a stretch of the series is; without it, what fits the range.",
    None,
)
COMPARE: Final[Parameter[bool]] = Parameter(
    "compare", flag, {"type": "boolean", "default": True}, "Whether the period before is looked at, too.", default=True
)
SEARCH: Final[Parameter[str | None]] = Parameter(
    "search", any_text, _TEXT, "A part of what is listed, in capitals or not.", None
)
SORT: Final[Parameter[TenantOrder]] = Parameter(
    "sort", order, {"type": "string", "enum": list(TENANT_ORDERS), "default": "tokens"}, "By which number.", "tokens"
)


class Direction(StrEnum):
    """Which end of a list comes first."""

    ASCENDING = "asc"
    DESCENDING = "desc"


ORDER: Final[Parameter[Direction]] = Parameter(
    "order", word(Direction), {**_words(Direction), "default": "desc"}, "Which end comes first.", Direction.DESCENDING
)
CURSOR: Final[Parameter[str | None]] = Parameter(
    "cursor", any_text, _TEXT, "Where the page begins: `next` of the answer before.", None
)


def limit(default: int, most: int) -> Parameter[int]:
    """How many rows an answer has at most."""
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return Parameter("limit", number(1, most), schema, "How many rows at most.", default)


PAGE: Final = limit(100, 10_000)
TRACES: Final = limit(50, 500)
GROUPS: Final = limit(100, 1000)
VALUES: Final = limit(100, 1000)

TENANT_ID: Final[Parameter[str]] = Parameter(
    "id", tenant_id, _TENANT, "The tenant's id, percent-encoded.", "", in_path=True
)
SESSION_ID: Final[Parameter[str]] = Parameter(
    "id", any_text, _TEXT, "The session's id, percent-encoded.", "", in_path=True
)
TRACE_ID: Final[Parameter[str]] = Parameter(
    "id", hexadecimal(32), {"type": "string", "pattern": "^[0-9a-fA-F]{32}$"}, "The trace's id.", "", in_path=True
)
SPAN_ID: Final[Parameter[str]] = Parameter(
    "span_id", hexadecimal(16), {"type": "string", "pattern": "^[0-9a-fA-F]{16}$"}, "The span's id.", "", in_path=True
)
COLUMNS: Final[Parameter[bool]] = Parameter(
    "columns",
    flag,
    {"type": "boolean", "default": False},
    "Give `rows` as one list for each field, and without attributes and events: for a waterfall.",
    default=False,
)
STATUS: Final[Parameter[Status | None]] = Parameter(
    "status", word(Status), _words(Status), "Only traces with a span that ended so.", None
)
MODEL: Final[Parameter[str | None]] = Parameter("model", any_text, _TEXT, "Only with a span of this model.", None)
AGENT: Final[Parameter[str | None]] = Parameter("agent", any_text, _TEXT, "Only with a span of this agent.", None)
USER: Final[Parameter[str | None]] = Parameter("user", any_text, _TEXT, "Only with a span of this `user.id`.", None)
SESSION: Final[Parameter[str | None]] = Parameter(
    "session", any_text, _TEXT, "Only with a span of this `session.id` or conversation.", None
)
OPERATION: Final[Parameter[str | None]] = Parameter(
    "operation", any_text, _TEXT, "Only with a span of this `gen_ai.operation.name`.", None
)
ERROR_TYPE: Final[Parameter[str | None]] = Parameter(
    "error_type", any_text, _TEXT, "Only with a span of this `error.type`.", None
)
TEXT: Final[Parameter[str | None]] = Parameter(
    "text",
    any_text,
    _TEXT,
    "Only with a span that has this text in its name, its status message or, where they may be seen, its attributes.",
    None,
)
MINIMUM: Final[Parameter[float | None]] = Parameter(
    "minimum_ms", milliseconds, {"type": "number", "minimum": 0}, "Only with a span that took as long.", None
)
LIVE: Final[Parameter[bool]] = Parameter(
    "live",
    flag,
    {"type": "boolean", "default": False},
    "What is newer than `cursor`, which is then `newest`.",
    default=False,
)
FIELD: Final[Parameter[tuple[Field, ...]]] = Parameter(
    "field",
    word(Field),
    {"type": "array", "items": _words(Field)},
    "Of what; may be repeated. Without it, of all but users.",
    tuple(field for field in Field if field is not Field.USER),
    repeats=True,
)

# When, whose and where.
ASKED: Final = (*RANGE, TENANT, NONE, ENVIRONMENT, SERVICE)
FILTER: Final = (STATUS, MODEL, AGENT, USER, SESSION, OPERATION, ERROR_TYPE, TEXT, MINIMUM)
