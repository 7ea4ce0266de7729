"""Connections to ClickHouse, embedded or served: the only place that knows the difference."""

from __future__ import annotations

import contextlib
import importlib
import os
import queue
import tempfile
from typing import TYPE_CHECKING, Any, Final

import clickhouse_connect
from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from tracium.exceptions import StoreError
from tracium.server.extra import missing_engine
from tracium.server.location import Directory, Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clickhouse_connect.driver.client import Client

_READING: Final = {
    # 2: a query may choose its own settings, but changes neither data nor this one.
    "readonly": 2,
    # No question may keep the others waiting for ever, or take the memory that receiving needs.
    "max_execution_time": 60,
    "max_memory_usage": 2 * 2**30,
    # Roll-ups are short, and merging the sketches in each row takes long: by default one thread would have all of them.
    "merge_tree_min_rows_for_concurrent_read": 8192,
    "merge_tree_min_bytes_for_concurrent_read": 1,
    "merge_tree_min_read_task_size": 1,
    # What the indexes leave out is found once, before reading begins, and not by each of its small tasks.
    "use_skip_indexes_on_data_read": 0,
}


# What an insert does, it does in one thread: two of them have two cores at work. One on a server mostly waits for it.
_EMBEDDED_WRITERS: Final = 2
_SERVED_WRITERS: Final = 4
# A question that runs while another one does has a connection of its own; more than these wait.
_READERS: Final = 4


class Engine:
    """Connections that write, one for what takes long, and some that cannot change anything."""

    def __init__(self, writers: int, **options: Any) -> None:
        with contextlib.ExitStack() as opened:
            self.writers: Final[Sequence[Client]] = [
                opened.enter_context(clickhouse_connect.get_client(**options)) for _ in range(writers)
            ]
            # While the store is being opened, and nothing is written yet.
            self.write: Final = self.writers[0]
            self.maintain: Final[Client] = opened.enter_context(clickhouse_connect.get_client(**options))
            self._readers: queue.SimpleQueue[Client] = queue.SimpleQueue()
            for _ in range(_READERS):
                reader = clickhouse_connect.get_client(settings=_READING, **options)
                self._readers.put(opened.enter_context(reader))
            self.close = opened.pop_all().close

    @contextlib.contextmanager
    def reader(self) -> Iterator[Client]:
        """A connection that reads, for the time of the block."""
        client = self._readers.get()
        try:
            yield client
        finally:
            self._readers.put(client)


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
            return Engine(_EMBEDDED_WRITERS, interface="chdb", path=str(directory.engine))
        except (ClickHouseError, OSError, RuntimeError) as error:
            raise StoreError(f"the store in {directory} cannot be opened: {error}") from error


def _connect_server(server: Server) -> Engine:
    try:
        # Without a session, queries of several threads run side by side.
        return Engine(_SERVED_WRITERS, dsn=server.dsn, autogenerate_session_id=False)
    except (ClickHouseError, OSError, ValueError) as error:
        raise StoreError(
            f"the ClickHouse at {server} cannot be used: {error}. Check that it runs, and the DSN's port and password."
        ) from error


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
