"""A backup: a directory with the engine's files of one moment, and a note of what is in it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Self

from tracium.exceptions import StoreError
from tracium.server.keeping.snapshot import Snapshot, place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tracium.server.location import Directory

_NOTE: Final = "backup.json"
_ENGINE: Final = "store"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup says of itself."""

    made: datetime
    # The release that made it.
    release: str
    # Rows by table.
    rows: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON's types."""
        return {"made": self.made.isoformat(), "release": self.release, "rows": dict(self.rows)}

    @classmethod
    def found(cls, path: Path) -> Self:
        """Read the note in a backup.

        Raises:
            StoreError: there is no whole backup.
        """
        try:
            value = json.loads((path / _NOTE).read_text(encoding="utf-8"))
            return cls(datetime.fromisoformat(value["made"]), value["release"], value["rows"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{path} is no backup, or one that was not finished. Name what `tracium store backup` wrote."
            ) from error


def refuse_existing(path: Path) -> None:
    """Refuse to write a backup over something.

    Raises:
        StoreError: there is something.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise StoreError(f"{path} exists and is not empty. Name a new directory for the backup.")


def copy_out(directory: Directory, snapshot: Snapshot, path: Path, progress: Callable[[int, int], None]) -> Backup:
    """Copy a snapshot into a new directory; the note is written last, so half a backup is none.

    Args:
        directory: the data directory that the snapshot is of.
        snapshot: which.
        path: the new directory.
        progress: called with how many of how many bytes are copied.

    Raises:
        StoreError: it could not be copied.
    """
    backup = Backup(datetime.now(UTC), version("tracium"), snapshot.rows)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _copy_tree(place(directory, snapshot.id), path / _ENGINE, progress)
        with (path / _NOTE).open("x", encoding="utf-8") as note:
            json.dump(backup.to_json(), note, indent=2)
            note.flush()
            os.fsync(note.fileno())
    except OSError as error:
        raise StoreError(f"the backup could not be written to {path}: {error}") from error
    return backup


def copy_in(path: Path, directory: Directory, progress: Callable[[int, int], None]) -> Backup:
    """Make a data directory from a backup.

    Args:
        path: the backup.
        directory: where no store is yet.
        progress: called with how many of how many bytes are copied.

    Raises:
        StoreError: there is no backup, or a store already, or it could not be copied.
    """
    backup = Backup.found(path)
    if directory.engine.exists():
        raise StoreError(
            f"there is a store in {directory} already. Name another directory with --data, or move that one away."
        )
    arriving = directory.path / "restoring"
    try:
        directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(arriving, ignore_errors=True)
        _copy_tree(path / _ENGINE, arriving, progress)
        arriving.rename(directory.engine)
    except OSError as error:
        raise StoreError(f"the backup {path} could not be restored to {directory}: {error}") from error
    return backup


def _copy_tree(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    total = sum((root_path / file).stat().st_size for root_path, _, files in _walk(source) for file in files)
    done = 0
    for root_path, directories, files in _walk(source):
        here = target / root_path.relative_to(source)
        here.mkdir(parents=True, exist_ok=True)
        for link in directories:
            if (root_path / link).is_symlink():
                (here / link).symlink_to((root_path / link).readlink())
        for file in files:
            shutil.copy2(root_path / file, here / file)
            _sync(here / file)
            done += (here / file).stat().st_size
            progress(done, total)
        _sync(here)


def _walk(source: Path) -> Any:
    from pathlib import Path  # noqa: PLC0415 - for the types above it is not needed at run time

    return ((Path(root), directories, files) for root, directories, files in os.walk(source))


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
