"""A moment of a data directory, held fast while it is copied."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from tracium.exceptions import StoreError
from tracium.server.location import Directory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.store import Store

# Only what the engine writes as it is in the names of files.
_PREFIX: Final = "tracium_"
_ID_BYTES: Final = 8
# What the engine needs besides the tables' parts to open a store: what the tables are.
_DESCRIPTIONS: Final = ("metadata", "data", "store")
_PART: Final = re.compile(r"[0-9a-z]+(_[0-9]+){3,4}")
_TEMPORARY: Final = re.compile(r"(tmp|delete_tmp|mutation|deduplication|detached|moving)")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment, at the border between two writes: every request that was acknowledged before is in it, none half."""

    id: str
    # Rows by table.
    rows: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON's types."""
        return {"id": self.id, "rows": dict(self.rows)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            KeyError: a field is missing.
        """
        return cls(value["id"], value["rows"])


class Snapshots:
    """Makes and drops snapshots: further names of files that the engine has already, which take no space at first."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def make(self) -> Snapshot:
        """Hold this moment fast; what is received waits for some hundredths of a second.

        Raises:
            StoreError: the store is none of this machine, or the disk did not take it.
        """
        directory = self._directory()
        snapshot_id = f"{_PREFIX}{secrets.token_hex(_ID_BYTES)}"
        tables = self._tables()
        with self._store.alone(), _as_store_error():
            for table in tables:
                self._store.maintenance.run(f"ALTER TABLE {table} FREEZE WITH NAME '{snapshot_id}'")
            rows = {table: self._rows(table) for table in tables}
            _copy_descriptions(directory.engine, place(directory, snapshot_id))
        return Snapshot(snapshot_id, rows)

    def drop(self, snapshot_id: str) -> None:
        """Let a moment go; nothing happens if there is none of this id.

        Raises:
            StoreError: the store is none of this machine, or the id is none.
        """
        if not is_id(snapshot_id):
            raise StoreError(f"{snapshot_id!r} is no snapshot's id.")
        shutil.rmtree(place(self._directory(), snapshot_id), ignore_errors=True)

    def drop_all(self) -> None:
        """Let go what a process left that did not end well."""
        if isinstance(self._store.location, Directory):
            for left in place(self._store.location, "").glob(f"{_PREFIX}*"):
                shutil.rmtree(left, ignore_errors=True)

    def _directory(self) -> Directory:
        if isinstance(self._store.location, Directory):
            return self._store.location
        raise StoreError(
            f"the store in {self._store.location} is a ClickHouse server, which backs itself up: "
            "https://clickhouse.com/docs/operations/backup. Stop what writes there meanwhile, so that roll-ups agree."
        )

    def _tables(self) -> list[str]:
        sql = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
        return sorted(row["name"] for row in self._store.maintenance.rows(sql))

    def _rows(self, table: str) -> int:
        count: int = self._store.maintenance.rows(f"SELECT count() AS Rows FROM {table}")[0]["Rows"]  # noqa: S608 - ours
        return count


def is_id(text: str) -> bool:
    """Whether a snapshot may have this id: it becomes a part of a path."""
    return re.fullmatch(rf"{_PREFIX}[0-9a-f]+", text) is not None


def place(directory: Directory, snapshot_id: str) -> Path:
    """Where a snapshot's files are; laid out as the engine's own directory."""
    return directory.engine / "shadow" / snapshot_id


def _copy_descriptions(engine: Path, to: Path) -> None:
    for name in _DESCRIPTIONS:
        for root, directories, files in os.walk(engine / name):
            here = to / Path(root).relative_to(engine)
            here.mkdir(parents=True, exist_ok=True)
            links = [one for one in directories if (Path(root) / one).is_symlink()]
            directories[:] = [one for one in directories if one not in links and not _is_data(one)]
            for link in links:
                (here / link).symlink_to((Path(root) / link).readlink())
            for file in files:
                if not _is_data(file):
                    shutil.copy2(Path(root) / file, here / file, follow_symlinks=False)


def _is_data(name: str) -> bool:
    """Whether it is rows, or about rows that are no longer there."""
    return bool(_PART.match(name) or _TEMPORARY.match(name)) and not name.endswith(".sql")


@contextlib.contextmanager
def _as_store_error() -> Any:
    try:
        yield
    except OSError as error:
        raise StoreError(f"the snapshot could not be written: {error}") from error
