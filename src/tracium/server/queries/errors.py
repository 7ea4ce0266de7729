"""Errors, those that are alike together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracium.server.queries.instant import instant
from tracium.server.queries.visibility import shown_message

if TYPE_CHECKING:
    from tracium.server.access.principal import Principal
    from tracium.server.queries.question import Question
    from tracium.server.store import Store

_EXAMPLES: Final = 5
_TENANTS: Final = 20
# Numbers, ids and quoted names make no difference between errors.
_FINGERPRINT: Final = (
    "replaceRegexpAll(substringUTF8(splitByChar('\\n', StatusMessage)[1], 1, 200), "
    "'0x[0-9a-fA-F]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{12,}|[0-9]+', '#')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Spans with the status Error that are alike."""

    # `error.type`, or the type of the exception.
    error_type: str | None
    # The status message's first line, with # in the place of numbers and ids.
    message: str
    service: str
    # None: no model was called.
    model: str | None
    operation: str | None
    count: int
    traces: int
    # How many tenants it has hit, and some of them; null is what belongs to none.
    tenants_hit: int
    tenants: tuple[str | None, ...]
    first_seen: str
    last_seen: str
    # One message as it was.
    example: str
    # Ids of traces with it, the newest first.
    example_traces: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorsReport:
    """Groups of errors, the largest first."""

    from_: str
    to: str
    rows: tuple[ErrorGroup, ...]
    # Whether there are more groups than are shown.
    cut: bool


def errors(store: Store, asker: Principal, question: Question, *, limit: int = 100) -> ErrorsReport:
    """The errors of a range, grouped by type, message, service and model.

    Args:
        store: where from.
        asker: who asks, which decides what is seen.
        question: when, whose and where.
        limit: how many groups at most.

    Raises:
        StoreError: the store could not answer.
    """
    rows = store.rows(
        asker.scope,
        f"""
        SELECT
            ErrorType, {_FINGERPRINT} AS Message, ServiceName, Model, Operation,
            uniqExact(TenantId, TraceId, SpanId) AS Errors, uniqExact(TraceId) AS Traces,
            uniqExact(TenantId) AS Tenants, arraySort(groupUniqArray({_TENANTS})(TenantId)) AS Some,
            toUnixTimestamp64Nano(min(EndTime)) AS Earliest, toUnixTimestamp64Nano(max(EndTime)) AS Latest,
            argMax(StatusMessage, EndTime) AS Example,
            arrayDistinct(arrayMap(one -> one.2,
                groupArraySorted({4 * _EXAMPLES})((-toUnixTimestamp64Nano(EndTime), TraceId)))) AS Ids
        FROM tracium_errors
        WHERE {question.within()}
        GROUP BY ErrorType, Message, ServiceName, Model, Operation
        ORDER BY Errors DESC, ErrorType, Message, ServiceName, Model, Operation
        LIMIT {limit + 1}""",  # noqa: S608 - see `literal`
    )
    return ErrorsReport(
        from_=instant(question.range.start_ns),
        to=instant(question.range.end_ns),
        rows=tuple(_group(asker, row) for row in rows[:limit]),
        cut=len(rows) > limit,
    )


def _group(asker: Principal, row: dict[str, Any]) -> ErrorGroup:
    return ErrorGroup(
        error_type=row["ErrorType"] or None,
        message=row["Message"],
        service=row["ServiceName"],
        model=row["Model"] or None,
        operation=row["Operation"] or None,
        count=row["Errors"],
        traces=row["Traces"],
        tenants_hit=row["Tenants"],
        tenants=tuple(name or None for name in row["Some"]),
        first_seen=instant(row["Earliest"]),
        last_seen=instant(row["Latest"]),
        example=shown_message(asker, row["Example"]),
        example_traces=tuple(row["Ids"][:_EXAMPLES]),
    )
