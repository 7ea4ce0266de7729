"""Where a store is: a directory of this machine, or a ClickHouse server."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tracium.exceptions import StoreError

_SERVER_SCHEMES: Final = frozenset({"clickhouse", "clickhouses", "http", "https"})


@dataclass(frozen=True, slots=True)
class Directory:
    """A data directory: the embedded engine's files and the lock of the process that has them open."""

    path: Path

    @property
    def engine(self) -> Path:
        """The directory that belongs to the engine alone."""
        return self.path / "store"

    @property
    def lock(self) -> Path:
        """The file that the process which has the store open keeps locked."""
        return self.path / "lock"

    def journal(self, writer: int) -> Path:
        """The file in which one of the writers, counted from 0, notes a write before it begins."""
        return self.path / (f"journal-{writer}" if writer else "journal")

    @property
    def operator_key(self) -> Path:
        """The file by which a command shows a running server that it may read the directory."""
        return self.path / "operator"

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Server:
    """A ClickHouse server, named by a DSN."""

    dsn: str

    def __str__(self) -> str:
        """The DSN without user and password."""
        parts = urlsplit(self.dsn)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def locate(data: str | os.PathLike[str] | None, dsn: str | None) -> Directory | Server:
    """Decide where the store is; without either argument it is the platform's directory for user data.

    Args:
        data: a data directory.
        dsn: ``clickhouse://USER:PASSWORD@HOST:PORT/DATABASE`` (also ``clickhouses``, ``http``, ``https``), or
            ``chdb:///DIR``, which is the same as ``data``.

    Raises:
        StoreError: both are given, or the DSN is none of these.
    """
    if data is not None and dsn is not None:
        raise StoreError("--data and --dsn name two stores. Give one of them.")
    if dsn is None:
        return Directory(Path(data if data is not None else default_directory()).expanduser().absolute())
    return _from_dsn(dsn)


def default_directory() -> Path:
    """The platform's directory for user data; ``XDG_DATA_HOME`` is honoured everywhere."""
    configured = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification: a relative path is invalid and to be ignored.
    if Path(configured).is_absolute():
        return Path(configured) / "tracium"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "tracium"
    return Path.home() / ".local" / "share" / "tracium"


def _from_dsn(dsn: str) -> Directory | Server:
    parts = urlsplit(dsn)
    if parts.scheme in _SERVER_SCHEMES and parts.hostname:
        return Server(dsn)
    if parts.scheme == "chdb" and not parts.netloc and parts.path.strip("/"):
        return Directory(Path(parts.path))
    raise StoreError(
        f"the DSN of scheme {parts.scheme!r} names no store. "
        "Write clickhouse://USER:PASSWORD@HOST:8123/DATABASE, or chdb:///DIR for a directory."
    )
