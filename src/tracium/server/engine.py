"""Connections to ClickHouse, embedded or served: the only place that knows the difference."""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import clickhouse_connect
from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from tracium.exceptions import StoreError
from tracium.server.extra import missing_engine
from tracium.server.location import Directory, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickhouse_connect.driver.client import Client

# 2: a query may choose its own settings, but changes neither data nor this one.
_READ_ONLY: Final = {"readonly": 2}


@dataclass(frozen=True, slots=True)
class Engine:
    """One connection that writes and one that cannot."""

    write: Client
    read: Client

    def close(self) -> None:
        """Close both connections."""
        self.read.close()
        self.write.close()


def connect(location: Directory | Server) -> Engine:
    """Open the engine of `location`; whoever opens a directory must hold its lock.

    Raises:
        StoreError: the engine is missing, does not answer or refuses.
    """
    if isinstance(location, Directory):
        return _connect_embedded(location)
    return _connect_server(location)


def _connect_embedded(directory: Directory) -> Engine:
    with _empty_working_directory():
        try:
            # By itself first: clickhouse_connect wraps what goes wrong here beyond recognition.
            importlib.import_module("chdb")
        except ImportError as error:
            raise missing_engine() from error
        try:
            return _engine(interface="chdb", path=str(directory.engine))
        except (ClickHouseError, OSError, RuntimeError) as error:
            raise StoreError(f"the store in {directory} cannot be opened: {error}") from error


def _connect_server(server: Server) -> Engine:
    try:
        # Without a session, queries of several threads run side by side.
        return _engine(dsn=server.dsn, autogenerate_session_id=False)
    except (ClickHouseError, OSError, ValueError) as error:
        raise StoreError(
            f"the ClickHouse at {server} cannot be used: {error}. Check that it runs, and the DSN's port and password."
        ) from error


def _engine(**options: Any) -> Engine:
    write = clickhouse_connect.get_client(**options)
    try:
        return Engine(write=write, read=clickhouse_connect.get_client(settings=_READ_ONLY, **options))
    except BaseException:
        write.close()
        raise


@contextlib.contextmanager
def _empty_working_directory() -> Iterator[None]:
    """Run a block in an empty directory: the engine obeys any config.xml of the working directory while it starts."""
    before = os.open(".", os.O_RDONLY)
    try:
        with tempfile.TemporaryDirectory(prefix="tracium-") as empty:
            os.chdir(empty)
            try:
                yield
            finally:
                os.fchdir(before)
    finally:
        os.close(before)
