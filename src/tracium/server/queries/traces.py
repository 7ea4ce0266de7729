"""The traces of a range, the newest first."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracium.server.queries import cursor
from tracium.server.queries.instant import instant
from tracium.server.queries.question import ended, moment
from tracium.server.queries.tracefilter import TraceFilter
from tracium.server.scope import literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tracium.server.access.principal import Principal
    from tracium.server.queries.question import Question
    from tracium.server.store import Store

_EVERY_TRACE: Final = TraceFilter()
_HOUR_NS: Final = 3600 * 10**9
# A trace is looked for this long before and after the span that was found of it.
_REACH_NS: Final = _HOUR_NS
_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow:
    """What may be seen of one trace; its numbers are of that part."""

    trace_id: str
    # Whose spans it has: more than one tenant where it is mixed. null is what belongs to no tenant.
    tenants: tuple[str | None, ...]
    # The span that began it, or, where that is not to be seen or has not ended, the first that there is.
    name: str
    service: str
    # Whether the trace's first span is there. Not: it has not ended, it is lost, or another tenant's.
    has_root: bool
    # ISO 8601 in UTC, with nanoseconds.
    start: str
    end: str
    duration_ms: float
    spans: int
    errors: int
    is_error: bool
    model_calls: int
    models: tuple[str, ...]
    agents: tuple[str, ...]
    user: str | None
    session: str | None
    input_tokens: int | None
    output_tokens: int | None
    unknown_usage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TracesReport:
    """A page of traces."""

    from_: str
    to: str
    rows: tuple[TraceRow, ...]
    # Where the next page begins; None: there is none.
    next: str | None
    # Where what is newer than this page begins, for `live`.
    newest: str | None
    # Whether the search took too long and stopped; `next` goes on where it did.
    cut: bool
    # From when on everything was searched.
    searched_from: str


def traces(  # noqa: PLR0913 - each is a part of the question
    store: Store,
    asker: Principal,
    question: Question,
    wanted: TraceFilter = _EVERY_TRACE,
    *,
    limit: int = 50,
    after: str | None = None,
    live: bool = False,
) -> TracesReport:
    """Traces with a span that fits, by the last of these to end.

    Args:
        store: where from.
        asker: who asks, which decides what is seen.
        question: when, whose and where.
        wanted: what a span of the trace has to be.
        limit: how many at most.
        after: where the page begins, as `TracesReport.next` said; with `live`, as `TracesReport.newest` said.
        live: whether to look for what is newer than `after`, in the place of what is older.

    Raises:
        CursorError: `after` is none.
        StoreError: the store could not answer.
    """
    start, end = question.range.start_ns, question.quarters().until
    place: tuple[int, str] | None = None
    if after is not None:
        place = _place(after)
        if live:
            start = max(start, place[0])
        else:
            end = min(end, place[0] + 1)
    search = _Search(store, asker, question, wanted)
    found, reached = search.newest(start, end, limit, place, live=live)
    rows = _rows(store, asker, question, found)
    more = len(found) == limit or reached > start
    last = (found[-1].end, found[-1].trace_id) if len(found) == limit else (reached, "")
    return TracesReport(
        from_=instant(question.range.start_ns),
        to=instant(question.range.end_ns),
        rows=rows,
        next=cursor.write(str(last[0]), last[1]) if more and not live else None,
        newest=cursor.write(str(found[0].end), found[0].trace_id) if found else after if live else None,
        cut=reached > start and len(found) < limit,
        searched_from=instant(reached),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    trace_id: str
    # When the last span that fits ended, in nanoseconds since 1970.
    end: int


@dataclass(frozen=True, slots=True)
class _Search:
    """Goes back in time step by step, each longer than the one before, until there are enough."""

    store: Store
    asker: Principal
    question: Question
    wanted: TraceFilter

    def newest(
        self, start: int, end: int, limit: int, place: tuple[int, str] | None, *, live: bool
    ) -> tuple[list[_Found], int]:
        """What was found, and back to when everything was searched."""
        found: list[_Found] = []
        deadline = time.monotonic() + _SECONDS
        reached = end
        for low, high in _steps(start, end):
            found += self._between(
                low, high, limit - len(found), {one.trace_id for one in found}, None if live else place
            )
            reached = low
            if len(found) >= limit or time.monotonic() > deadline:
                break
        return found, reached

    def _between(
        self, low: int, high: int, limit: int, known: Collection[str], place: tuple[int, str] | None
    ) -> list[_Found]:
        conditions = [ended(low, high), self.question.condition(), self.wanted.condition()]
        if known:
            conditions.append(f"TraceId NOT IN ({', '.join(map(literal, known))})")
        if place is not None:
            at, trace_id = place
            # Those of the pages before: their last span ended later, but within the range.
            until = min(at + _REACH_NS, self.question.quarters().until)
            conditions += [
                f"(EndTime < {moment(at)} OR TraceId < {literal(trace_id)})",
                (
                    f"TraceId NOT IN (SELECT TraceId FROM otel_traces WHERE {ended(at, until)} "  # noqa: S608 - see `literal`
                    f"AND (EndTime > {moment(at)} OR TraceId >= {literal(trace_id)}) "
                    f"AND {self.question.condition()} AND {self.wanted.condition()})"
                ),
            ]
        rows = self.store.rows(
            self.asker.scope,
            f"""
            SELECT TraceId, toUnixTimestamp64Nano(EndTime) AS Ended FROM otel_traces
            WHERE {" AND ".join(conditions)}
            ORDER BY {self._order()} LIMIT 1 BY TraceId LIMIT {limit}""",  # noqa: S608 - see `literal`
        )
        return [_Found(row["TraceId"], row["Ended"]) for row in rows]

    def _order(self) -> str:
        # One tenant's spans lie in the order of their ends: the engine reads no more than it needs.
        tenants = self.question.tenants
        is_one = len(tenants.ids) + tenants.with_none == 1 and not tenants.prefixes
        return f"{'TenantId DESC, ' if is_one else ''}EndTime DESC, TraceId DESC"


def _rows(store: Store, asker: Principal, question: Question, found: Sequence[_Found]) -> tuple[TraceRow, ...]:
    if not found:
        return ()
    ids = ", ".join(literal(one.trace_id) for one in found)
    low, high = min(one.end for one in found) - _REACH_NS, max(one.end for one in found) + _REACH_NS
    rows = store.rows(
        asker.scope,
        f"""
        SELECT
            TraceId, groupUniqArray(TenantId) AS Tenants,
            argMin((SpanName, ServiceName), (ParentSpanId != '', NOT IsRequest, Timestamp)) AS First,
            countIf(ParentSpanId = '') > 0 AS HasRoot,
            toUnixTimestamp64Nano(min(Timestamp)) AS Started, toUnixTimestamp64Nano(max(EndTime)) AS Ended,
            count() AS Spans, countIf(IsError) AS Errors, countIf(IsRequest AND IsError) AS RequestErrors,
            countIf(IsCall) AS Calls,
            arraySort(groupUniqArrayIf(Model, IsCall AND Model != '')) AS Models,
            arraySort(groupUniqArrayIf(AgentName, AgentName != '')) AS Agents,
            anyIf(UserId, UserId != '') AS User, anyIf(SessionId, SessionId != '') AS Session,
            sumIf(InputTokens, IsCall) AS InputSum, sumIf(OutputTokens, IsCall) AS OutputSum,
            countIf(IsCall AND NOT IsRecorded AND (IsPartlyUnknown OR InputTokens IS NULL
                    OR (OutputTokens IS NULL AND Operation != 'embeddings'))) AS Unknown,
            countIf(IsCall AND NOT IsRecorded AND (IsPartlyUnknown OR InputTokens IS NULL)) AS NoInput,
            countIf(IsCall AND NOT IsRecorded AND Operation != 'embeddings'
                    AND (IsPartlyUnknown OR OutputTokens IS NULL)) AS NoOutput
        FROM
        (
            SELECT
                TraceId, SpanId, ParentSpanId, TenantId, SpanName, ServiceName, IsRequest, IsError, Timestamp, EndTime,
                Model, AgentName, UserId, SessionId, InputTokens, OutputTokens, IsRecorded, IsPartlyUnknown, Operation,
                IsModelCall AND (IsSettled OR (TenantId, TraceId, SpanId, Operation = 'embeddings') NOT IN
                (
                    SELECT TenantId, TraceId, ParentSpanId, Operation = 'embeddings' FROM otel_traces
                    WHERE TraceId IN ({ids}) AND {ended(low, high)} AND {question.tenants.condition()}
                      AND IsModelCall AND NOT IsSettled AND ParentSpanId != ''
                )) AS IsCall
            FROM otel_traces
            WHERE TraceId IN ({ids}) AND {ended(low, high)} AND {question.tenants.condition()}
            LIMIT 1 BY TenantId, TraceId, SpanId
        )
        GROUP BY TraceId""",  # noqa: S608 - see `literal`
    )
    by_id = {row["TraceId"]: _row(row) for row in rows}
    return tuple(by_id[one.trace_id] for one in found if one.trace_id in by_id)


def _row(row: dict[str, Any]) -> TraceRow:
    name, service = row["First"].values() if isinstance(row["First"], dict) else row["First"]
    return TraceRow(
        trace_id=row["TraceId"],
        tenants=tuple(sorted((name or None for name in row["Tenants"]), key=lambda name: (name is None, name or ""))),
        name=name,
        service=service,
        has_root=bool(row["HasRoot"]),
        start=instant(row["Started"]),
        end=instant(row["Ended"]),
        duration_ms=(row["Ended"] - row["Started"]) / 1e6,
        spans=row["Spans"],
        errors=row["Errors"],
        is_error=row["RequestErrors"] > 0,
        model_calls=row["Calls"],
        models=tuple(row["Models"]),
        agents=tuple(row["Agents"]),
        user=row["User"] or None,
        session=row["Session"] or None,
        input_tokens=_known(row["InputSum"], row["NoInput"]),
        output_tokens=_known(row["OutputSum"], row["NoOutput"]),
        unknown_usage=row["Unknown"],
    )


def _known(total: int | None, unknown: int) -> int | None:
    """A sum over nothing is 0; a sum over calls of which none said is unknown."""
    return 0 if total is None and not unknown else total


def _steps(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Stretches of a range from its end back to its start: ten minutes, then six times as long each time."""
    length = _HOUR_NS // 6
    while end > start:
        low = max(end - length, start)
        yield low, end
        end, length = low, 6 * length


def _place(after: str) -> tuple[int, str]:
    at, trace_id = cursor.read(after, (str,), (str,))
    if not (at.isascii() and at.isdigit() and len(at) < 20):  # noqa: PLR2004 - what 64 bits hold
        raise cursor.CursorError(after)
    return int(at), trace_id
