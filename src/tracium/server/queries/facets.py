"""What there is to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tracium.server.queries.question import ended
from tracium.server.scope import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracium.server.access.principal import Principal
    from tracium.server.queries.question import Question
    from tracium.server.store import Store

_HOUR_NS: Final = 3600 * 10**9
_DAY_NS: Final = 24 * _HOUR_NS


class Field(StrEnum):
    """What is chosen from."""

    TENANT = "tenant"
    SERVICE = "service"
    ENVIRONMENT = "environment"
    MODEL = "model"
    PROVIDER = "provider"
    OPERATION = "operation"
    AGENT = "agent"
    USER = "user"

    @property
    def is_in_spans(self) -> bool:
        """Whether its values stand in spans alone, and in no roll-up."""
        return self in _IN_SPANS


# Where the values are: the roll-ups are small, the spans are not.
_ROLLED_UP: Final = {
    Field.TENANT: ("tracium_requests_15m", "TenantId", "sum(Spans)"),
    Field.SERVICE: ("tracium_requests_15m", "ServiceName", "sum(Spans)"),
    Field.ENVIRONMENT: ("tracium_requests_15m", "Environment", "sum(Spans)"),
    Field.MODEL: ("tracium_calls_15m", "Model", "sum(Calls)"),
    Field.PROVIDER: ("tracium_calls_15m", "Provider", "sum(Calls)"),
    Field.OPERATION: ("tracium_calls_15m", "Operation", "sum(Calls)"),
}
_IN_SPANS: Final = {Field.AGENT: "AgentName", Field.USER: "UserId"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """One value, and on how many spans or model calls it was about seen."""

    field: str
    value: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """Values, those of each field together and the most frequent first."""

    rows: tuple[Facet, ...]


def facets(  # noqa: PLR0913 - each is a part of the question
    store: Store,
    asker: Principal,
    question: Question,
    fields: Sequence[Field],
    *,
    search: str | None = None,
    limit: int = 100,
) -> Facets:
    """The values of fields in a range; agents and users are those of its last day, and of its last hour where no tenant is named.

    Args:
        store: where from.
        asker: who asks, which decides what is seen.
        question: when, whose and where.
        fields: of what.
        search: a part of the value, in capitals or not.
        limit: how many values of each field at most.

    Raises:
        StoreError: the store could not answer.
    """
    found: list[Facet] = []
    for field in dict.fromkeys(fields):
        rows = store.rows(asker.scope, _sql(question, field, search, limit))
        found += [Facet(field=field.value, value=row["Value"], count=row["Seen"]) for row in rows]
    return Facets(rows=tuple(found))


def _sql(question: Question, field: Field, search: str | None, limit: int) -> str:
    like = f"positionCaseInsensitiveUTF8(Value, {literal(search)}) > 0" if search else "true"
    end = question.quarters().until
    if field in _IN_SPANS:
        start = max(question.range.start_ns, end - (_HOUR_NS if question.tenants.is_everything else _DAY_NS))
        relations = [(("otel_traces", _IN_SPANS[field], "count()"), ended(start, end))]
    else:
        touched = f"Bucket >= toDateTime({question.range.start_ns // 10**9 // 900 * 900}, 'UTC') AND Bucket < toDateTime({-(-end // 10**9)}, 'UTC')"
        relations = [(_ROLLED_UP[field], touched)]
        if _ROLLED_UP[field][0] == "tracium_calls_15m":
            relations.append((("tracium_calls", _ROLLED_UP[field][1], "count()"), ended(question.range.start_ns, end)))
    union = " UNION ALL ".join(
        f"SELECT {column} AS Value, {count} AS Seen FROM {table} "  # noqa: S608 - see `literal`
        f"WHERE {when} AND {question.condition()} AND {column} != '' GROUP BY Value"
        for (table, column, count), when in relations
    )
    return (
        f"SELECT Value, sum(one.Seen) AS Seen FROM ({union}) AS one WHERE {like} "  # noqa: S608 - see `literal`
        f"GROUP BY Value ORDER BY Seen DESC, Value LIMIT {limit}"
    )
