"""One trace, span by span."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tracium.server import prices
from tracium.server.access.principal import Grant
from tracium.server.queries.beside import beside
from tracium.server.queries.instant import instant
from tracium.server.queries.question import ended
from tracium.server.queries.visibility import is_content, shown, shown_message
from tracium.server.scope import literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracium.server.access.principal import Principal
    from tracium.server.queries.tenantfilter import TenantFilter
    from tracium.server.store import Store

    # By tenant and span.
    _Costs = dict[tuple[str, str], tuple[Decimal | None, str | None]]

# Longer texts are cut; the span by itself has them whole.
TEXT_LENGTH: Final = 2000
MOST_SPANS: Final = 20_000
# So many characters of a span's name tell it from others.
NAME_LENGTH: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanEvent:
    """Something that happened at a moment of a span."""

    time: str
    name: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanLink:
    """A span elsewhere that this one has to do with."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRow:
    """A span as a waterfall shows it."""

    span_id: str
    # None: it has none.
    parent_span_id: str | None
    # Whether the parent is among the spans that are shown; not: it is lost, has not ended, or is another tenant's.
    has_parent: bool
    tenant: str | None
    name: str
    kind: str
    service: str
    # Milliseconds since the first span that is shown began.
    start_ms: float
    duration_ms: float
    # Unset, Ok or Error.
    status: str
    status_message: str
    error_type: str | None
    operation: str | None
    provider: str | None
    model: str | None
    agent: str | None
    # Whether it is one of the model calls that are counted.
    is_model_call: bool
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    # US dollars; None: it has no price, is no model call, or who asks may not see money.
    cost: Decimal | None
    unpriced_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanDetail(SpanRow):
    """A span with what was recorded in it, as far as it may be seen."""

    start: str
    attributes: Mapping[str, str]
    resource: Mapping[str, str]
    scope: str
    scope_version: str
    events: tuple[SpanEvent, ...]
    links: tuple[SpanLink, ...]
    # The whole length of the texts that were cut, by their attribute.
    cut: Mapping[str, int]

    @property
    def has_content(self) -> bool:
        """Whether it shows what was said to a model, a tool or an agent, or by it."""
        return any(map(is_content, [*self.attributes, *(key for event in self.events for key in event.attributes)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What may be seen of a trace, the span that began first coming first."""

    trace_id: str
    tenants: tuple[str | None, ...]
    start: str
    duration_ms: float
    # Whether the trace's first span is there.
    has_root: bool
    errors: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    # Lower bounds while this is not 0, or calls have no price.
    unknown_usage: int
    cost: Decimal | None
    unpriced_calls: int | None
    # Whether there are more spans than are shown.
    cut: bool
    rows: tuple[SpanRow, ...]

    @property
    def has_content(self) -> bool:
        """Whether it shows what was said to a model, a tool or an agent, or by it."""
        return any(isinstance(row, SpanDetail) and row.has_content for row in self.rows)


def trace(
    store: Store, asker: Principal, trace_id: str, tenants: TenantFilter, *, details: bool = True
) -> Trace | None:
    """A trace; None where nothing is to be seen of it.

    Args:
        store: where from.
        asker: who asks, which decides what is seen.
        trace_id: 32 hexadecimal digits.
        tenants: whose spans.
        details: whether each span comes with its attributes and events, long texts cut (`SpanDetail`), or without.

    Raises:
        StoreError: the store could not answer.
    """
    condition = f"TraceId = {literal(trace_id)} AND {tenants.condition()}"
    rows, costs = beside(
        lambda: _read(store, asker, condition, details=details), lambda: _costs(store, asker, condition)
    )
    if not rows:
        return None
    if asker.may(Grant.COST) and any(
        row["IsModelCall"] and (row["TenantId"], row["SpanId"]) not in costs for row in rows
    ):
        # It arrived in between.
        costs = _costs(store, asker, condition)
    is_cut = len(rows) > MOST_SPANS
    return _assembled(asker, trace_id, _spans(asker, rows[:MOST_SPANS], costs, details=details), rows, cut=is_cut)


def span(store: Store, asker: Principal, trace_id: str, span_id: str, tenants: TenantFilter) -> SpanDetail | None:
    """One span with everything that `asker` may see of it, whole; None where there is none.

    Raises:
        StoreError: the store could not answer.
    """
    condition = f"TraceId = {literal(trace_id)} AND SpanId = {literal(span_id)} AND {tenants.condition()}"
    rows = _read(store, asker, condition, details=True, whole=True)
    if not rows:
        return None
    # Where it was found, which is its key.
    when = ended(rows[0]["Ended"], rows[0]["Ended"] + 1)
    costs = _costs(store, asker, f"{condition} AND {when}") if rows[0]["IsModelCall"] else {}
    found = _spans(asker, rows[:1], costs, details=True)
    return found[0] if found and isinstance(found[0], SpanDetail) else None


def named_span(
    store: Store, asker: Principal, trace_id: str, known: tuple[str, str], tenants: TenantFilter
) -> str | None:
    """The id of the one span of a trace of which name and beginning of its id are `known`; None for none, or for more.

    Raises:
        StoreError: the store could not answer.
    """
    name, beginning = known
    rows = store.rows(
        asker.scope,
        f"SELECT DISTINCT SpanId FROM otel_traces WHERE TraceId = {literal(trace_id)} "  # noqa: S608 - see `literal`
        f"AND substringUTF8(SpanName, 1, {NAME_LENGTH}) = {literal(name[:NAME_LENGTH])} "
        f"AND startsWith(SpanId, {literal(beginning)}) AND {tenants.condition()} LIMIT 2",
    )
    return rows[0]["SpanId"] if len(rows) == 1 else None


_COLUMNS: Final = """
    TraceId, SpanId, ParentSpanId, TenantId, SpanName, SpanKind, ServiceName, toUnixTimestamp64Nano(Timestamp) AS Started,
    toUnixTimestamp64Nano(EndTime) AS Ended, greatest(toInt64(Duration), 0) AS Lasted, StatusCode, StatusMessage, ErrorType, Operation, Provider, Model, AgentName,
    IsModelCall, IsSettled, IsRecorded, IsPartlyUnknown, IsError,
    InputTokens, OutputTokens, CacheReadTokens, CacheWriteTokens, ReasoningTokens
"""
_DETAILS: Final = """,
    {attributes} AS Attributes, ResourceAttributes AS Resource, ScopeName, ScopeVersion,
    arrayMap(time -> toUnixTimestamp64Nano(time), Events.Timestamp) AS EventTimes, Events.Name AS EventNames,
    {events} AS EventAttributes, Links.TraceId AS LinkTraces, Links.SpanId AS LinkSpans, Links.Attributes AS LinkAttributes,
    CAST(mapApply((key, value) -> (key, lengthUTF8(value)),
                  mapFilter((key, value) -> length(value) > {length} AND lengthUTF8(value) > {length}, SpanAttributes)),
         'Map(String, UInt64)') AS Cut
"""
_SHORTENED: Final = "mapApply((key, value) -> (key, substringUTF8(value, 1, {length})), {of})"


def _read(
    store: Store, asker: Principal, condition: str, *, details: bool, whole: bool = False
) -> list[dict[str, Any]]:
    columns = _COLUMNS
    if details:
        shape = "{of}" if whole else _SHORTENED
        columns += _DETAILS.format(
            attributes=shape.format(length=TEXT_LENGTH, of="SpanAttributes"),
            events=f"arrayMap(one -> {shape.format(length=TEXT_LENGTH, of='one')}, Events.Attributes)",
            length=2**32 if whole else TEXT_LENGTH,
        )
    return store.rows(
        asker.scope,
        f"SELECT {columns} FROM otel_traces WHERE {condition} ORDER BY Timestamp, EndTime DESC, SpanId "  # noqa: S608 - see `literal`
        f"LIMIT 1 BY TenantId, SpanId LIMIT {MOST_SPANS + 1}",
    )


def _spans(asker: Principal, rows: Sequence[dict[str, Any]], costs: _Costs, *, details: bool) -> list[SpanRow]:
    begin = min(row["Started"] for row in rows)
    ids = {row["SpanId"] for row in rows}
    wrappers = {
        (row["ParentSpanId"], row["Operation"] == "embeddings")
        for row in rows
        if row["IsModelCall"] and not row["IsSettled"]
    }
    made: list[SpanRow] = []
    for row in rows:
        is_call = row["IsModelCall"] and (
            row["IsSettled"] or (row["SpanId"], row["Operation"] == "embeddings") not in wrappers
        )
        cost, reason = costs.get((row["TenantId"], row["SpanId"]), (None, None)) if is_call else (None, None)
        values = {
            "span_id": row["SpanId"],
            "parent_span_id": row["ParentSpanId"] or None,
            "has_parent": row["ParentSpanId"] in ids,
            "tenant": row["TenantId"] or None,
            "name": row["SpanName"],
            "kind": row["SpanKind"],
            "service": row["ServiceName"],
            "start_ms": (row["Started"] - begin) / 1e6,
            "duration_ms": max(row["Lasted"], 0) / 1e6,
            "status": row["StatusCode"],
            "status_message": shown_message(asker, row["StatusMessage"]),
            "error_type": row["ErrorType"] or None,
            "operation": row["Operation"] or None,
            "provider": row["Provider"] or None,
            "model": row["Model"] or None,
            "agent": row["AgentName"] or None,
            "is_model_call": is_call,
            "input_tokens": row["InputTokens"],
            "output_tokens": row["OutputTokens"],
            "cache_read_tokens": row["CacheReadTokens"],
            "cache_write_tokens": row["CacheWriteTokens"],
            "reasoning_tokens": row["ReasoningTokens"],
            "cost": cost,
            "unpriced_reason": reason,
        }
        made.append(SpanDetail(**values, **_details(asker, row)) if details else SpanRow(**values))
    return made


def _details(asker: Principal, row: dict[str, Any]) -> dict[str, Any]:
    told = shown(asker, row["Attributes"])
    return {
        "start": instant(row["Started"]),
        "attributes": told,
        "resource": shown(asker, row["Resource"]),
        "scope": row["ScopeName"],
        "scope_version": row["ScopeVersion"],
        "events": tuple(
            SpanEvent(time=instant(time), name=name, attributes=shown(asker, values))
            for time, name, values in zip(row["EventTimes"], row["EventNames"], row["EventAttributes"], strict=True)
        ),
        "links": tuple(
            SpanLink(trace_id=trace_id, span_id=span_id, attributes=shown(asker, values))
            for trace_id, span_id, values in zip(
                row["LinkTraces"], row["LinkSpans"], row["LinkAttributes"], strict=True
            )
        )
        if asker.scope.tenants is None or asker.may(Grant.ATTRIBUTES)
        else (),
        "cut": {key: length for key, length in row["Cut"].items() if key in told},
    }


def _costs(store: Store, asker: Principal, condition: str) -> _Costs:
    """The cost of each model call, or why it has none."""
    if not asker.may(Grant.COST):
        return {}
    prices.ensure(store)
    relation = f"""
        SELECT TenantId, SpanId, EndTime AS Bucket, Provider, Model, RequestModel, ServerAddress, ServiceTier, InputClass,
            OtherUnits, toUInt64(1) AS Calls,
            toUInt64(greatest(toInt64(ifNull(one.InputTokens, 0)) - toInt64(ifNull(one.CacheReadTokens, 0))
                              - toInt64(ifNull(one.CacheWriteTokens, 0)), 0)) AS PlainInputTokens,
            ifNull(one.CacheReadTokens, 0) AS CacheReadTokens, ifNull(one.CacheWriteTokens, 0) AS CacheWriteTokens,
            ifNull(one.OutputTokens, 0) AS OutputTokens,
            one.InputTokens IS NULL AND one.OutputTokens IS NULL AND NOT IsRecorded AS IsUnknown
        FROM
        (
            SELECT TenantId, SpanId, EndTime, Provider, Model, RequestModel, ServerAddress, ServiceTier, InputClass,
                OtherUnits, IsRecorded, InputTokens, OutputTokens, CacheReadTokens, CacheWriteTokens
            FROM otel_traces
            WHERE IsModelCall AND {condition}
            LIMIT 1 BY TenantId, SpanId
        ) AS one"""  # noqa: S608 - see `literal`
    priced = store.rows(
        asker.scope,
        f"SELECT TenantId, SpanId, Cost, UnpricedReason, IsUnknown FROM ({prices.priced(relation)})",  # noqa: S608 - ours
    )
    return {
        (row["TenantId"], row["SpanId"]): (
            # A call costs something even where it did not tell its tokens: what each call costs, or its cached ones.
            None if row["Cost"] is None or (row["IsUnknown"] and not row["Cost"]) else Decimal(row["Cost"]),
            row["UnpricedReason"] or None,
        )
        for row in priced
    }


def _assembled(
    asker: Principal, trace_id: str, spans: Sequence[SpanRow], rows: Sequence[dict[str, Any]], *, cut: bool
) -> Trace:
    calls = [one for one in spans if one.is_model_call]
    begin = min(row["Started"] for row in rows)
    told = {(row["TenantId"] or None, row["SpanId"]): row for row in rows}
    unknown = [
        one
        for one in calls
        if not (row := told[one.tenant, one.span_id])["IsRecorded"]
        and (
            row["IsPartlyUnknown"]
            or one.input_tokens is None
            or (one.output_tokens is None and one.operation != "embeddings")
        )
    ]
    known = [one.cost for one in calls if one.cost is not None]
    has_money = asker.may(Grant.COST)
    return Trace(
        trace_id=trace_id,
        tenants=tuple(sorted({one.tenant for one in spans}, key=lambda name: (name is None, name or ""))),
        start=instant(begin),
        duration_ms=max(one.start_ms + one.duration_ms for one in spans),
        has_root=any(one.parent_span_id is None for one in spans),
        errors=sum(one.status == "Error" for one in spans),
        model_calls=len(calls),
        input_tokens=sum(one.input_tokens or 0 for one in calls),
        output_tokens=sum(one.output_tokens or 0 for one in calls),
        unknown_usage=len(unknown),
        cost=sum(known, Decimal(0)) if has_money and (known or not calls) else None,
        unpriced_calls=sum(one.unpriced_reason is not None for one in calls) if has_money else None,
        cut=cut,
        rows=tuple(spans),
    )
