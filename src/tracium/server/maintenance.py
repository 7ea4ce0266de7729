"""A connection for what takes long, beside what is written and asked."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from tracium.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clickhouse_connect.driver.client import Client


class Maintenance:
    """Sees and changes what is really there, behind the wall: for `keeping` alone.

    May be used from any thread; one statement runs at a time, while others write and ask.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._ending = threading.Event()

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Answer a SELECT.

        Raises:
            StoreError: the store could not answer.
        """
        with self._lock, _as_store_error():
            return list(self._client.query(sql, parameters=dict(parameters or {})).named_results())

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run one statement that changes something.

        Raises:
            StoreError: the store refused it.
        """
        with self._lock, _as_store_error():
            self._client.command(sql, parameters=dict(parameters or {}))

    def pause(self, seconds: float) -> None:
        """Wait for the engine.

        Raises:
            StoreError: the process is about to end.
        """
        if self._ending.wait(seconds):
            raise StoreError("the store is being closed. What was begun goes on after the next start.")

    @property
    def is_ending(self) -> bool:
        """Whether the process is about to end."""
        return self._ending.is_set()

    def end(self) -> None:
        """Let nobody wait any longer: the process is about to end."""
        self._ending.set()


@contextlib.contextmanager
def _as_store_error() -> Iterator[None]:
    try:
        yield
    except (ClickHouseError, OSError) as error:
        raise StoreError(f"the store could not be maintained: {error}") from error
