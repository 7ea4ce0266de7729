"""The views that telemetry passes on its way into the tables; they leave out what was erased."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracium.server.keeping.subject import SubjectKey
from tracium.server.keeping.tombstones import Tombstones, is_erased_by
from tracium.server.schema import statements

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.store import Store

_CREATED: Final = re.compile(r"CREATE MATERIALIZED VIEW (?:IF NOT EXISTS )?(\w+) TO \w+ AS\s+(.*)", re.DOTALL)
# By view, where tenant, user and end stand in what it selects.
_COLUMNS: Final[Mapping[str, tuple[str, str, str]]] = {
    "otlp_traces_to_otel_traces": ("SpanAttributes['tenant.id']", "SpanAttributes['user.id']", "EndTime"),
    "otlp_logs_to_otel_logs": ("LogAttributes['tenant.id']", "LogAttributes['user.id']", "Timestamp"),
    **{
        f"otlp_metric_to_otel_metrics_{kind}": ("Attributes['tenant.id']", "Attributes['user.id']", "TimeUnix")
        for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary")
    },
    # Whoever writes the spans, the roll-ups are made here.
    "otel_traces_to_tracium_spans": ("TenantId", "UserId", "EndTime"),
    "otel_traces_to_tracium_errors": ("TenantId", "UserId", "EndTime"),
}
# The roll-ups' own rows name no user, so this view looks at the spans.
_SPANS: Final = "otel_traces_to_tracium_spans"


def leave_out_erased(store: Store) -> None:
    """Let every view leave out what the tombstones keep out; without tombstones a view has no condition and no cost.

    Raises:
        StoreError: a view could not be changed.
    """
    tombstones = Tombstones(store).all()
    if not tombstones and not any(map(_is_filtering, _queries(store).values())):
        return
    key = SubjectKey.of(store)
    for name, query in definitions().items():
        condition = is_erased_by(key, *_COLUMNS[name], tombstones) if tombstones else None
        store.write(f"ALTER TABLE {name} MODIFY QUERY {_filtered(name, query, condition)}")


def definitions() -> dict[str, str]:
    """The SELECT of each of the views, as this release's migrations made it last."""
    found = {}
    for statement in statements():
        created = _CREATED.search(statement)
        if created and created[1] in _COLUMNS:
            found[created[1]] = created[2]
    return found


def _filtered(name: str, query: str, condition: str | None) -> str:
    if condition is None:
        return query
    if name == _SPANS:
        return f"{query} WHERE NOT {condition}"
    return f"SELECT * FROM ({query}) WHERE NOT {condition}"  # noqa: S608 - ours


def _queries(store: Store) -> dict[str, str]:
    sql = (
        "SELECT name, as_select FROM system.tables WHERE database = currentDatabase() AND name IN {names:Array(String)}"
    )
    return {row["name"]: row["as_select"] for row in store.maintenance.rows(sql, {"names": list(_COLUMNS)})}


def _is_filtering(query: str) -> bool:
    return "sipHash64Keyed" in query
