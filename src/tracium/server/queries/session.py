"""A session: what was said in it, in the order in which it was said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracium.server.queries.instant import instant
from tracium.server.queries.visibility import is_content, shown
from tracium.server.scope import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.access.principal import Principal
    from tracium.server.queries.question import Question
    from tracium.server.store import Store

MOST_TURNS: Final = 1000
TEXT_LENGTH: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One model call or agent's run of a session."""

    time: str
    trace_id: str
    span_id: str
    tenant: str | None
    user: str | None
    operation: str
    name: str
    agent: str | None
    model: str | None
    duration_ms: float
    is_error: bool
    input_tokens: int | None
    output_tokens: int | None
    # What was said, by attribute; only where it is granted.
    content: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What may be seen of a session; without anything where there is none."""

    session_id: str
    tenants: tuple[str | None, ...]
    traces: tuple[str, ...]
    # Whether there are more turns than are shown.
    cut: bool
    rows: tuple[Turn, ...]

    @property
    def has_content(self) -> bool:
        """Whether it shows what was said."""
        return any(row.content for row in self.rows)


def session(store: Store, asker: Principal, question: Question, session_id: str) -> Session:
    """The model calls and agents' runs of a session in a range of time.

    Args:
        store: where from.
        asker: who asks, which decides what is seen.
        question: when, whose and where.
        session_id: `session.id`, or the id of a conversation.

    Raises:
        StoreError: the store could not answer.
    """
    rows = store.rows(
        asker.scope,
        f"""
        SELECT TraceId, SpanId, TenantId, UserId, Operation, SpanName, AgentName, Model, IsError, InputTokens, OutputTokens,
            toUnixTimestamp64Nano(Timestamp) AS Started, greatest(toInt64(Duration), 0) AS Lasted,
            mapApply((key, value) -> (key, substringUTF8(value, 1, {TEXT_LENGTH})), SpanAttributes) AS Attributes
        FROM otel_traces
        WHERE SessionId = {literal(session_id)} AND SessionId != '' AND Operation != '' AND {question.within()}
        ORDER BY Timestamp, EndTime DESC, SpanId LIMIT 1 BY TenantId, TraceId, SpanId LIMIT {MOST_TURNS + 1}""",  # noqa: S608 - see `literal`
    )
    turns = tuple(_turn(asker, row) for row in rows[:MOST_TURNS])
    return Session(
        session_id=session_id,
        tenants=tuple(sorted({one.tenant for one in turns}, key=lambda name: (name is None, name or ""))),
        traces=tuple(dict.fromkeys(one.trace_id for one in turns)),
        cut=len(rows) > MOST_TURNS,
        rows=turns,
    )


def _turn(asker: Principal, row: dict[str, Any]) -> Turn:
    content = {key: value for key, value in row["Attributes"].items() if is_content(key)}
    return Turn(
        time=instant(row["Started"]),
        trace_id=row["TraceId"],
        span_id=row["SpanId"],
        tenant=row["TenantId"] or None,
        user=row["UserId"] or None,
        operation=row["Operation"],
        name=row["SpanName"],
        agent=row["AgentName"] or None,
        model=row["Model"] or None,
        duration_ms=max(row["Lasted"], 0) / 1e6,
        is_error=row["IsError"],
        input_tokens=row["InputTokens"],
        output_tokens=row["OutputTokens"],
        content=shown(asker, content),
    )
