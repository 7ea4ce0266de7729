"""The store: opened once, written by one thread, read through `queries`."""

from __future__ import annotations

import contextlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Self

from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from tracium.exceptions import StoreError
from tracium.server.engine import connect
from tracium.server.extra import missing_engine
from tracium.server.location import Directory, Server
from tracium.server.schema import TRACES_PROTO, migrate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from tracium.server.engine import Engine

_PROTOBUF_SETTINGS: Final = {
    "format_schema_source": "string",
    "format_schema": TRACES_PROTO,
    "format_schema_message_name": "Request",
    # A server's profile may queue inserts and answer before they are written.
    "async_insert": 0,
    # Retried spans are folded away when parts are merged; doing it in every insert, too, makes it half as fast.
    "optimize_on_insert": 0,
    # One old or imported batch may span many days, and a refusal would hit every batch in the same commit.
    "max_partitions_per_insert_block": 0,
}


class Store:
    """The tables of one location, at this release's version.

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
            self._close = opened.pop_all().close

    def announce(self, url: str) -> None:
        """Tell other processes of this machine where this one answers."""
        self._announce(url)

    def insert_traces(self, requests: Sequence[bytes]) -> None:
        """Write serialised ``ExportTraceServiceRequest`` messages; on return they survive a power cut.

        Raises:
            StoreError: they were not written, or not all of them.
        """
        # Messages of one type, one behind the other, are one message with their repeated fields joined.
        body = b"".join(requests)
        try:
            self._engine.write.raw_insert(
                "otlp_traces", insert_block=body, fmt="ProtobufSingle", settings=_PROTOBUF_SETTINGS
            )
        except (ClickHouseError, OSError) as error:
            raise StoreError(f"the store in {self.location} could not write: {error}") from error

    def rows(self, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Answer a read-only query; for `queries` alone, which scopes every one.

        Raises:
            StoreError: the store could not answer.
        """
        try:
            return list(self._engine.read.query(sql, parameters=dict(parameters)).named_results())
        except (ClickHouseError, OSError) as error:
            raise StoreError(f"the store in {self.location} could not answer: {error}") from error

    def close(self) -> None:
        """Close the engine and give the location back."""
        self._close()

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
