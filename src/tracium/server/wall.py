"""The wall around each question: what the engine itself leaves out of every table, before the question sees a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracium.server.scope import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracium.server.scope import TenantScope

# Every table that holds what belongs to tenants, and the column that says when it happened.
TABLES: Final = {
    "otel_traces": "EndTime",
    "tracium_requests_15m": "Bucket",
    "tracium_calls_15m": "Bucket",
    "tracium_calls": "EndTime",
}


def walled(sql: str, scope: TenantScope, tables: Sequence[str] = tuple(TABLES)) -> str:
    """A statement that sees of each table only what `scope` allows, sub-queries included.

    The engine adds the condition to every reading of the table, whatever the statement says; a mistake in a statement
    cannot show another tenant's rows.

    Args:
        sql: a SELECT without a SETTINGS clause.
        scope: whose data it may see.
        tables: the tables that hold data of tenants.
    """
    if scope.tenants is None:
        return sql
    condition = literal(scope.condition())
    filters = ", ".join(f"'{table}': {condition}" for table in tables)
    return f"{sql}\nSETTINGS additional_table_filters = {{{filters}}}"
