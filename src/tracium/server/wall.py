"""The wall around each question: what the engine itself leaves out of every table, before the question sees a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracium.server.keeping.held import HELD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.scope import TenantScope

# Every table that holds what belongs to tenants, and the column that says when it happened.
TABLES: Final = {table.name: table.time for table in HELD}


def walled(sql: str, scope: TenantScope, kept: Mapping[str, str] | None = None, *, is_spread: bool = False) -> str:
    """A statement that sees of each table only what `scope` allows and what is kept, sub-queries included.

    The engine adds the conditions to every reading of the tables, whatever the statement says; a mistake in a statement
    cannot show another tenant's rows.

    Args:
        sql: a SELECT without a SETTINGS clause.
        scope: whose data it may see.
        kept: by table, SQL that holds for the rows that are neither past their retention nor erased.
        is_spread: whether the tables may be those of a cluster, where each has a part of its own on every server.
    """
    conditions = {table: _condition(scope, kept.get(table) if kept else None) for table in TABLES}
    if is_spread:
        conditions |= {f"{table}_local": condition for table, condition in conditions.items()}
    filters = ", ".join(f"'{table}': {_quoted(condition)}" for table, condition in conditions.items() if condition)
    return f"{sql}\nSETTINGS additional_table_filters = {{{filters}}}" if filters else sql


def _condition(scope: TenantScope, kept: str | None) -> str:
    # Whose a row is comes first: it is the key of the tables.
    whose = None if scope.tenants is None else scope.condition()
    return " AND ".join(filter(None, (whose, kept)))


def _quoted(sql: str) -> str:
    """SQL as a string of SQL, as often as questions are asked: values in it are escaped already."""
    escaped = sql.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
