"""The store: opened once, written by one thread, read through `queries`."""

from __future__ import annotations

import contextlib
import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Self

from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from tracium.exceptions import StoreError
from tracium.server.engine import connect
from tracium.server.extra import missing_engine
from tracium.server.ingest import Ingest
from tracium.server.journal import Journal
from tracium.server.keeping.kept import Kept
from tracium.server.location import Directory, Server
from tracium.server.maintenance import Maintenance
from tracium.server.schema import migrate
from tracium.server.unavailable import reason
from tracium.server.wall import walled
from tracium.server.writers import Writers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from tracium.server.batch import Batch
    from tracium.server.engine import Engine
    from tracium.server.scope import TenantScope

_logger: Final = logging.getLogger(__name__)


class Store:
    """The tables of one location, at this release's version.

    Every method may be called from any thread, and blocks.

    Args:
        location: the directory or the server.
        create: whether to make the tables where there are none.

    Raises:
        StoreError: the location is in use, cannot be opened, or is of a newer release.
    """

    def __init__(self, location: Directory | Server, *, create: bool = True) -> None:
        self.location: Final = location
        with contextlib.ExitStack() as opened:
            self._announce = _lock(location, opened)
            self._engine: Engine = connect(location)
            opened.callback(self._engine.close)
            migrate(self._engine.write, location, create=create)
            self._writers = Writers(
                [Ingest(client, _journal(location, at, opened)) for at, client in enumerate(self._engine.writers)]
            )
            self._finish_what_a_crash_left()
            self.maintenance: Final = Maintenance(self._engine.maintain)
            self._kept = Kept(self)
            self._kept.refresh()
            self._close = opened.pop_all().close

    def announce(self, url: str) -> None:
        """Tell other processes of this machine where this one answers."""
        self._announce(url)

    @property
    def writes_at_once(self) -> int:
        """How many commits are written side by side; more wait."""
        return len(self._writers)

    def commit(self, batches: Sequence[Batch]) -> None:
        """Write batches of one signal; on return they survive a power cut. One whose key is known is left out.

        Raises:
            UnreadableError: the engine cannot read them; nothing was written.
            StoreError: they were not written, or not all of them; what was is finished before the next ones.
        """
        with self._as_store_error("write"):
            self._writers.commit(batches)

    def rows(self, scope: TenantScope, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Answer a read-only query; for `queries` and the like, which know whose question it is.

        Args:
            scope: whose data the engine lets the query see, whatever it asks for.
            sql: a SELECT without a SETTINGS clause; ``{name:Type}`` stands for a parameter.
            parameters: the values, bound by the engine.

        Raises:
            StoreError: the store could not answer.
        """
        statement = walled(sql, scope, self._kept.conditions(), is_spread=isinstance(self.location, Server))
        with self._as_store_error("answer"), self._engine.reader() as client:
            return list(client.query(statement, parameters=dict(parameters or {})).named_results())

    def write(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run one statement that changes something; on return the change survives a power cut.

        Raises:
            StoreError: the store refused it.
        """
        with self._as_store_error("write"), self._writers.one() as writer:
            writer.client.command(sql, parameters=dict(parameters or {}))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write plain rows; on return they survive a power cut.

        Raises:
            StoreError: they were not written.
        """
        with self._as_store_error("write"), self._writers.one() as writer:
            writer.client.insert(table, rows, column_names=columns)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep everything else from being written while the block runs; the last write is whole when it begins.

        Raises:
            StoreError: a write that was interrupted could not be finished.
        """
        with self._writers.alone():
            self._finish_what_a_crash_left()
            yield

    def wipe_journal(self) -> None:
        """Remove the bytes of the last writes from the journals, which keep them until the next ones; within `alone`.

        Raises:
            StoreError: the disk did not take it.
        """
        with self._as_store_error("wipe its journals"):
            self._writers.wipe()

    def refresh(self) -> None:
        """Read again what is kept how long and what was erased: one of both has changed.

        Raises:
            StoreError: the store could not answer.
        """
        self._kept.refresh()

    def close(self) -> None:
        """Close the engine and give the location back."""
        self._close()

    def _finish_what_a_crash_left(self) -> None:
        with self._as_store_error("finish the last write"):
            for finished in self._writers.finish():
                _logger.warning("a write that had been interrupted is finished: %s", finished)

    @contextlib.contextmanager
    def _as_store_error(self, what: str) -> Any:
        try:
            yield
        except (ClickHouseError, OSError) as error:
            raise StoreError(f"the store in {self.location} could not {what}: {reason(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _lock(location: Directory | Server, opened: contextlib.ExitStack) -> Any:
    """Lock a directory; answer what announces a URL in the lock. A server needs none: it takes many clients."""
    if isinstance(location, Server):
        return lambda _url: None
    if find_spec("chdb") is None:
        raise missing_engine()
    from tracium.server.lock import DirectoryLock  # noqa: PLC0415 - fcntl is missing where only a server can be used

    return opened.enter_context(DirectoryLock(location)).announce


def _journal(location: Directory | Server, writer: int, opened: contextlib.ExitStack) -> Journal | None:
    """A directory has one; a server finishes a request by itself, and has each request under a token of its own."""
    return opened.enter_context(Journal(location.journal(writer))) if isinstance(location, Directory) else None
