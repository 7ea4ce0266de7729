"""What is counted, as SQL: the roll-ups' whole quarters of an hour, and the spans of the rest, under one definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracium.server.queries.question import ended

if TYPE_CHECKING:
    from tracium.server.queries.question import Quarters, Question

# Where an instrumentation and the client library under it each make a span for one call, the outer one ends later.
_WRAPPER_MARGIN_NS: Final = 3600 * 10**9

CALL_DIMENSIONS: Final = (
    "Provider",
    "Model",
    "RequestModel",
    "ServerAddress",
    "Operation",
    "ServiceTier",
    "InputClass",
    "OtherUnits",
)
CALL_SUMS: Final = (
    "Calls",
    "CallErrors",
    "InputTokens",
    "OutputTokens",
    "CacheReadTokens",
    "CacheWriteTokens",
    "ReasoningTokens",
    "PlainInputTokens",
    "KnownInput",
    "KnownOutput",
    "UnknownInput",
    "UnknownOutput",
    "UnknownUsage",
)
REQUEST_SUMS: Final = (
    "Spans",
    "SpanErrors",
    "Requests",
    "RequestErrors",
    "EstimatedRequests",
    "EstimatedErrors",
    "KeptForError",
)
_PLACE: Final = "TenantId, Bucket, Environment, ServiceName"
_DIMENSIONS: Final = ", ".join(CALL_DIMENSIONS)
_REQUEST_COLUMNS: Final = f"{_PLACE}, {', '.join(REQUEST_SUMS)}, Traces, Latency, CallLatency, LastSeen"
_CALL_COLUMNS: Final = f"{_PLACE}, {_DIMENSIONS}, Units, {', '.join(CALL_SUMS)}, Latency"

_BUCKET: Final = "toStartOfFifteenMinutes(toDateTime(EndTime, 'UTC')) AS Bucket"
_MILLISECONDS: Final = "greatest(toInt64(Duration), 0) / 1e6"


def requests(question: Question, *, of_others: bool = True) -> str:
    """Requests, spans, traces and calls' latency, by quarter of an hour and service of a tenant, as a SELECT.

    Args:
        question: when, whose and where.
        of_others: whether there may be calls of senders that are not tracium's in that time.
    """
    quarters = question.quarters()
    parts = [f"SELECT {_REQUEST_COLUMNS} FROM tracium_requests_15m WHERE {quarters.whole()} AND {question.condition()}"]  # noqa: S608 - see `literal`
    if quarters.edges:
        parts.append(_edge_requests(question, quarters))
    if of_others:
        parts.append(_latencies_of_others(question, quarters))
    return " UNION ALL ".join(parts)


def calls(question: Question, *, of_others: bool = True) -> str:
    """Model calls, a row for each quarter of an hour and what is priced alike, as a SELECT.

    Args:
        question: when, whose and where.
        of_others: whether there may be calls of senders that are not tracium's in that time.
    """
    quarters = question.quarters()
    parts = [f"SELECT {_CALL_COLUMNS} FROM tracium_calls_15m WHERE {quarters.whole()} AND {question.condition()}"]  # noqa: S608 - see `literal`
    if quarters.edges:
        parts.append(_edge_calls(question, quarters))
    if of_others:
        parts.append(_sums(_calls_of_others(question, quarters)))
    return " UNION ALL ".join(parts)


def _edge_requests(question: Question, quarters: Quarters) -> str:
    # The definition of the view `tracium_spans_to_requests_15m`.
    return f"""
    SELECT
        TenantId, {_BUCKET}, Environment, ServiceName,
        countIf(NOT IsRecorded), countIf(IsError AND NOT IsRecorded),
        countIf(IsRequest), countIf(IsRequest AND IsError),
        sumIf(ifNull(Weight, 1), IsRequest AND NOT IsKeptForError),
        sumIf(ifNull(Weight, 1), IsRequest AND IsError AND NOT IsKeptForError),
        countIf(IsRequest AND IsKeptForError),
        uniqStateIf(TraceId, NOT IsRecorded AND NOT IsSampledOut),
        quantilesBFloat16StateIf(0.5, 0.95, 0.99)(Milliseconds, IsRequest AND NOT IsKeptForError),
        quantilesBFloat16StateIf(0.5, 0.95, 0.99)(Milliseconds, IsModelCall AND IsSettled AND NOT IsRecorded),
        max(EndTime)
    FROM
    (
        SELECT TenantId, EndTime, TraceId, Environment, ServiceName, IsError, IsRequest, IsModelCall, IsSettled,
               IsRecorded, IsSampledOut, Weight,
               SpanAttributes['tracium.sampled.reason'] = 'error' AS IsKeptForError,
               {_MILLISECONDS} AS Milliseconds
        FROM otel_traces
        WHERE {_in(quarters)} AND {question.condition()}
        LIMIT 1 BY TenantId, TraceId, SpanId
    )
    GROUP BY {_PLACE}"""  # noqa: S608 - see `literal`


def _edge_calls(question: Question, quarters: Quarters) -> str:
    return _sums(f"""
        SELECT TenantId, EndTime, Environment, ServiceName, {_DIMENSIONS}, IsError, IsRecorded, IsPartlyUnknown,
               InputTokens, OutputTokens, CacheReadTokens, CacheWriteTokens, ReasoningTokens,
               {_MILLISECONDS} AS Milliseconds
        FROM otel_traces
        WHERE {_in(quarters)} AND IsModelCall AND IsSettled AND {question.condition()}
        LIMIT 1 BY TenantId, TraceId, SpanId""")  # noqa: S608 - see `literal`


def _latencies_of_others(question: Question, quarters: Quarters) -> str:
    # Their spans are among the others; only what is measured of the calls is added here.
    nothing = ", ".join("toFloat64(0)" if "Estimated" in name else "toUInt64(0)" for name in REQUEST_SUMS)
    return f"""
    SELECT
        TenantId, {_BUCKET}, Environment, ServiceName, {nothing}, uniqStateIf('', false),
        quantilesBFloat16StateIf(0.5, 0.95, 0.99)(Milliseconds, false),
        quantilesBFloat16StateIf(0.5, 0.95, 0.99)(Milliseconds, NOT IsRecorded), toDateTime64(0, 9, 'UTC')
    FROM ({_calls_of_others(question, quarters)})
    GROUP BY {_PLACE}"""  # noqa: S608 - see `literal`


def _calls_of_others(question: Question, quarters: Quarters) -> str:
    # A model-call span around another one of its kind is the same call seen from further away; the inner one is what
    # the provider answered. The tenant is part of what makes it the same: nobody displaces another one's call.
    start, end = question.range.start_ns, quarters.until
    return f"""
        SELECT * FROM tracium_calls
        WHERE {ended(start, end)} AND {question.condition()}
          AND (TenantId, TraceKey, SpanKey, Operation = 'embeddings') NOT IN
          (
              SELECT TenantId, TraceKey, ParentKey, Operation = 'embeddings' FROM tracium_calls
              WHERE ParentKey != 0 AND {ended(start - _WRAPPER_MARGIN_NS, end + _WRAPPER_MARGIN_NS)}
          )
        LIMIT 1 BY TenantId, TraceKey, SpanKey"""  # noqa: S608 - see `literal`


def _sums(relation: str) -> str:
    # The definition of the view `tracium_spans_to_calls_15m`.
    no_input = "((one.InputTokens IS NULL OR IsPartlyUnknown) AND NOT IsRecorded)"
    no_output = "((one.OutputTokens IS NULL OR IsPartlyUnknown) AND Operation != 'embeddings' AND NOT IsRecorded)"
    return f"""
    SELECT
        TenantId, {_BUCKET}, Environment, ServiceName, {_DIMENSIONS},
        toUInt8((ifNull(one.InputTokens, 0) > 0 OR ifNull(one.CacheReadTokens, 0) > 0 OR ifNull(one.CacheWriteTokens, 0) > 0)
                + (ifNull(one.OutputTokens, 0) > 0) * 2) AS Units,
        count(), countIf(IsError),
        sum(ifNull(one.InputTokens, 0)), sum(ifNull(one.OutputTokens, 0)), sum(ifNull(one.CacheReadTokens, 0)),
        sum(ifNull(one.CacheWriteTokens, 0)), sum(ifNull(one.ReasoningTokens, 0)),
        toUInt64(sum(greatest(toInt64(ifNull(one.InputTokens, 0)) - toInt64(ifNull(one.CacheReadTokens, 0))
                              - toInt64(ifNull(one.CacheWriteTokens, 0)), 0))),
        countIf(one.InputTokens IS NOT NULL), countIf(one.OutputTokens IS NOT NULL),
        countIf({no_input}), countIf({no_output}), countIf({no_input} OR {no_output}),
        quantilesBFloat16StateIf(0.5, 0.95, 0.99)(Milliseconds, NOT IsRecorded)
    FROM ({relation}) AS one
    GROUP BY {_PLACE}, {_DIMENSIONS}, Units"""  # noqa: S608 - see `literal`


def _in(quarters: Quarters) -> str:
    return f"({' OR '.join(ended(*edge) for edge in quarters.edges)})"
