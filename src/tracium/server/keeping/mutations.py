"""Deleting rows for good: the rows that are there now, and the files that they were in."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from tracium.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracium.server.maintenance import Maintenance

_POLL_SECONDS: Final = 0.1
_MOST_SECONDS: Final = 300
# Files go at once, so what takes their place is synced first.
_HASTE: Final = {
    "old_parts_lifetime": "1",
    "min_rows_to_fsync_after_merge": "1",
    "merge_tree_clear_old_parts_interval_seconds": "1",
}


def delete(maintenance: Maintenance, table: str, condition: str, partition: str | None = None) -> None:
    """Begin to delete rows; what is written from now on is not touched.

    Args:
        maintenance: the store's.
        table: its name.
        condition: SQL; the engine keeps its text, so no name may stand in it.
        partition: the id of the only partition to look at.
    """
    where = "" if partition is None else f"IN PARTITION ID '{partition}' "
    maintenance.run(f"ALTER TABLE {table} DELETE {where}WHERE {condition} SETTINGS mutations_sync = 0")


def is_deleting(maintenance: Maintenance, table: str) -> bool:
    """Whether rows of a table are still to be deleted.

    Raises:
        StoreError: the engine cannot delete them.
    """
    sql = (
        "SELECT count() AS Open, any(latest_fail_reason) AS Reason FROM system.mutations "
        "WHERE database = currentDatabase() AND table = {table:String} AND NOT is_done AND NOT is_killed"
    )
    (row,) = maintenance.rows(sql, {"table": table})
    if row["Reason"]:
        raise StoreError(f"rows of {table} could not be deleted yet, it is tried again: {row['Reason']}")
    return bool(row["Open"])


def await_deleted(maintenance: Maintenance, table: str) -> None:
    """Return when no row of a table is still to be deleted.

    Raises:
        StoreError: the engine cannot delete them.
    """
    while is_deleting(maintenance, table):
        maintenance.pause(_POLL_SECONDS)


@contextlib.contextmanager
def files_removed_soon(maintenance: Maintenance, tables: Iterable[str]) -> Iterator[None]:
    """Let the engine remove replaced files of some tables at once; usually it keeps them for eight minutes."""
    names = tuple(tables)
    settings = ", ".join(f"{name} = {value}" for name, value in _HASTE.items())
    for table in names:
        maintenance.run(f"ALTER TABLE {table} MODIFY SETTING {settings}")
    try:
        yield
    finally:
        for table in names:
            maintenance.run(f"ALTER TABLE {table} RESET SETTING {', '.join(_HASTE)}")


def await_removed(maintenance: Maintenance, table: str) -> bool:
    """Wait until the files that are replaced now are gone from the disk; answer whether they are."""
    parts = _replaced(maintenance, table)
    deadline = time.monotonic() + _MOST_SECONDS
    while parts & _replaced(maintenance, table):
        if time.monotonic() > deadline:
            return False
        maintenance.pause(_POLL_SECONDS)
    return True


def _replaced(maintenance: Maintenance, table: str) -> set[str]:
    sql = "SELECT name FROM system.parts WHERE database = currentDatabase() AND table = {table:String} AND NOT active"
    return {row["name"] for row in maintenance.rows(sql, {"table": table})}
