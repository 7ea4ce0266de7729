"""How telemetry gets into the tables: whole, once, and at the speed of the engine's own reader."""

from __future__ import annotations

import logging
import secrets
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from clickhouse_connect.driver.exceptions import DatabaseError

from tracium.exceptions import StoreError
from tracium.server.journal import Journal, Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clickhouse_connect.driver.client import Client

    from tracium.server.batch import Batch

_logger: Final = logging.getLogger(__name__)

_SETTINGS: Final = {
    "format_schema_source": "string",
    "format_schema_message_name": "Request",
    # A server's profile may queue inserts and answer before they are written.
    "async_insert": 0,
    # On a cluster: written on its shard, not queued on the way.
    "distributed_foreground_insert": 1,
    # Retried spans are folded away when parts are merged; doing it in every insert, too, makes it half as fast.
    "optimize_on_insert": 0,
    # One old or imported batch may span many days, and a refusal would hit every batch in the same commit.
    "max_partitions_per_insert_block": 0,
    # What is written again under the same token is left out, in each table by itself.
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    # To find out for which rows something need not be computed costs more than to compute it.
    "short_circuit_function_evaluation": "disable",
    # There is nothing to gain from a better plan for a view, and looking for one takes longer than the small inserts.
    "query_plan_enable_optimizations": 0,
    # The engine's threads cost more here than they bring, and the same bytes must give the same blocks.
    "max_threads": 1,
    "max_insert_threads": 1,
}
# The field of every request in which the keys stand, as the .proto files have it.
_KEYS_FIELD: Final = 1000
_KEY_BYTES: Final = 16
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp: what the reader says of bytes that
# are none of its format; nothing is written then.
_UNREADABLE: Final = frozenset({27, 33, 69, 131, 190, 382, 434, 435, 436, 444, 461, 636})


class UnreadableError(StoreError):
    """The engine cannot read a request; nothing was written."""


class Ingest:
    """Writes groups of requests through one connection; used by one thread at a time.

    Args:
        client: the connection.
        journal: where a group is noted; None on a server, where each request is a group under its own key.
    """

    def __init__(self, client: Client, journal: Journal | None) -> None:
        self.client: Final = client
        self._journal = journal
        self._doubtful: Note | None = None

    def commit(self, batches: Sequence[Batch]) -> None:
        """Write batches of one signal that are not known yet, when nothing is in doubt: see `finish`.

        Raises:
            UnreadableError: the engine cannot read them; nothing was written.
        """
        fresh = self._unknown(batches)
        if not fresh:
            return
        if self._journal is None:
            for one in fresh:
                self._insert(_note([one], one.key.hex()))
        else:
            self._write_noted(self._journal, _note(fresh, secrets.token_hex(16)))

    def finish(self) -> str | None:
        """Finish a write that was interrupted; answer what it was, or None if there was none."""
        note = self._doubtful or (self._journal.get() if self._journal else None)
        if note is None or self._journal is None:
            return None
        self._doubtful = note
        try:
            self._write_noted(self._journal, note)
        except UnreadableError as error:
            # Nobody was told that it is stored, and nothing of it is.
            _logger.warning("a write that had been interrupted cannot be read any more, and is dropped: %s", error)
            return None
        return f"{len(note.body)} bytes of {note.signal}"

    def wipe(self) -> None:
        """Remove what was written from the journal; to be called when nothing is in doubt.

        Raises:
            OSError: the disk did not take it.
        """
        if self._journal is not None:
            self._journal.wipe()

    def _write_noted(self, journal: Journal, note: Note) -> None:
        if self._doubtful is None:
            journal.put(note)
        self._doubtful = note
        try:
            self._insert(note)
        except UnreadableError:
            self._settle(journal)
            raise
        self._settle(journal)

    def _settle(self, journal: Journal) -> None:
        journal.clear()
        self._doubtful = None

    def _insert(self, note: Note) -> None:
        settings = _SETTINGS | {"format_schema": _schema(note.signal), "insert_deduplication_token": note.token}
        try:
            self.client.raw_insert(
                f"otlp_{note.signal}", insert_block=note.body, fmt="ProtobufSingle", settings=settings
            )
        except DatabaseError as error:
            if error.code in _UNREADABLE:
                raise UnreadableError(f"the engine cannot read it: {error}") from error
            raise

    def _unknown(self, batches: Sequence[Batch]) -> list[Batch]:
        """Those whose keys were not written within a day; of several with one key the first."""
        by_key: dict[bytes, Batch] = {}
        for one in batches:
            by_key.setdefault(one.key, one)
        known = self._known(by_key)
        return [one for key, one in by_key.items() if key not in known]

    def _known(self, keys: Iterable[bytes]) -> set[bytes]:
        # As literals, which take the engine a third of the time of a parameter.
        literals = ", ".join(f"unhex('{key.hex()}')" for key in keys)
        sql = f"SELECT hex(Key) FROM tracium_received WHERE Key IN ({literals})"  # noqa: S608 - of hex digits alone
        found: Any = self.client.query(sql).result_rows
        return {bytes.fromhex(key) for (key,) in found}


def _note(batches: Sequence[Batch], token: str) -> Note:
    # Messages of one type, one behind the other, are one message with their repeated fields joined.
    return Note(batches[0].signal, token, b"".join([*(one.body for one in batches), *map(_key_field, batches)]))


def _key_field(batch: Batch) -> bytes:
    """A key in protobuf's wire format: field 1000, a string of 16 bytes."""
    tag = _KEYS_FIELD << 3 | 2
    return bytes((tag & 0x7F | 0x80, tag >> 7, _KEY_BYTES)) + batch.key[:_KEY_BYTES].ljust(_KEY_BYTES, b"\0")


_SCHEMAS: Final[dict[str, str]] = {}


def _schema(signal: str) -> str:
    """The .proto file of a signal."""
    if signal not in _SCHEMAS:
        _SCHEMAS[signal] = (files("tracium.server") / f"otlp_{signal}.proto").read_text(encoding="utf-8")
    return _SCHEMAS[signal]
