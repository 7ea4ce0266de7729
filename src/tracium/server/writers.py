"""Several connections that write side by side, each group of requests through one of them."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from tracium.server.ingest import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracium.server.batch import Batch
    from tracium.server.ingest import Ingest


class Writers:
    """Hands each write to a connection that is free; every method may be called from any thread, and blocks.

    A request is never written through two connections at a time: neither would know yet of the other one's.

    Args:
        all_of_them: one for each connection.
    """

    def __init__(self, all_of_them: Sequence[Ingest]) -> None:
        self._all = tuple(all_of_them)
        self._free = list(all_of_them)
        # Of the requests that are being written.
        self._keys: set[bytes] = set()
        # A write was interrupted, and what it has written is not known.
        self._is_torn = False
        self._changed = threading.Condition()
        self._alone: int | None = None
        self._depth = 0
        self._want_to_be_alone = 0

    def commit(self, batches: Sequence[Batch]) -> None:
        """Write batches of one signal that are not known yet.

        Raises:
            UnreadableError: the engine cannot read them; nothing was written.
        """
        keys = {one.key for one in batches}
        while True:
            with self.one(keys) as writer:
                # Known only now: a write that was waited for may have been of one of these requests.
                if not self._is_torn:
                    self._commit(writer, batches)
                    return
            self.finish()

    def finish(self) -> list[str]:
        """Finish writes that were interrupted; answer what they were."""
        with self.alone():
            finished = [done for writer in self._all if (done := writer.finish())]
            self._is_torn = False
            return finished

    @contextlib.contextmanager
    def one(self, keys: frozenset[bytes] | set[bytes] = frozenset()) -> Iterator[Ingest]:
        """A connection for the time of the block, in which no other one writes a request of these keys."""
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: self._free and self._may_write(me) and self._keys.isdisjoint(keys))
            writer = self._free.pop()
            self._keys |= keys
        try:
            yield writer
        finally:
            with self._changed:
                self._free.append(writer)
                self._keys -= keys
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other threads from writing while the block runs; it begins when no write is on its way."""
        me = threading.get_ident()
        with self._changed:
            self._want_to_be_alone += 1
            try:
                self._changed.wait_for(lambda: self._alone == me or (self._alone is None and self._is_idle()))
            finally:
                self._want_to_be_alone -= 1
                self._changed.notify_all()
            self._alone = me
            self._depth += 1
        try:
            yield
        finally:
            with self._changed:
                self._depth -= 1
                if not self._depth:
                    self._alone = None
                self._changed.notify_all()

    def wipe(self) -> None:
        """Remove what was written from the journals; to be called when nothing is in doubt.

        Raises:
            OSError: the disk did not take it.
        """
        for writer in self._all:
            writer.wipe()

    def __len__(self) -> int:
        return len(self._all)

    def _commit(self, writer: Ingest, batches: Sequence[Batch]) -> None:
        try:
            writer.commit(batches)
        except UnreadableError:
            raise
        except BaseException:
            self._is_torn = True
            raise

    def _is_idle(self) -> bool:
        return len(self._free) == len(self._all)

    def _may_write(self, thread: int) -> bool:
        # Who waits to be alone comes first, or it would wait for ever.
        return self._alone == thread or (self._alone is None and not self._want_to_be_alone)
