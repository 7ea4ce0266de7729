"""Group commit: many requests, one durable write, and only then their answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracium.server.ingest import UnreadableError
from tracium.server.refusal import BadBodyError, NotWrittenError, OverloadedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracium.server.batch import Batch
    from tracium.server.refusal import Refusal

_logger: Final = logging.getLogger(__name__)

# A write costs 20 to 35 ms whatever its size, and each one leaves a file set that has to be merged later.
_ENOUGH_ITEMS: Final = 20_000
_INTERVAL_SECONDS: Final = 0.05
# Clients that were answered together send their next requests soon; a write for the first of them alone costs as much as
# one for all.
_RETURN_SECONDS: Final = 0.02
# One write's limits, so that a backlog needs bounded memory in the engine.
_MOST_ITEMS: Final = 50_000
_MOST_BYTES: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class _Waiting:
    batch: Batch
    written: asyncio.Future[None]


class Committer:
    """Gathers batches and writes them together, in threads of its own.

    The first batch after a pause is written at once. Under load a write starts when the last one began long enough
    ago or enough spans wait, whichever is first. What arrives while one runs goes into the next, which begins beside it
    when it is large enough that nothing is gained from more.

    Args:
        write: writes a group; called from any thread.
        at_once: how many groups are written side by side at most.
    """

    def __init__(self, write: Callable[[Sequence[Batch]], None], at_once: int = 1) -> None:
        self._write = write
        self._threads = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="tracium-commit")
        self._may_write = asyncio.Semaphore(at_once)
        self._writes: set[asyncio.Task[None]] = set()
        self._waiting: list[_Waiting] = []
        self._changed = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        # When the next write may start though little waits, and how many requests were answered last.
        self._not_before = 0.0
        self._answered = 0

    def start(self) -> None:
        """Begin to write; to be called in the event loop."""
        self._task = asyncio.create_task(self._run(), name="tracium-commit")

    async def commit(self, batch: Batch) -> None:
        """Return when `batch` is durably written.

        Raises:
            BadBodyError: the store cannot read it.
            NotWrittenError: the store did not take it.
            OverloadedError: the process is about to end.
        """
        if self._closing:
            raise OverloadedError("the server is shutting down. Send the batch again later.")
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(batch, written))
        self._changed.set()
        await written

    async def close(self) -> None:
        """Write what was taken, and take no more."""
        self._closing = True
        self._changed.set()
        if self._task is not None:
            await self._task
        self._threads.shutdown()

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        while await self._something_waits():
            await self._may_write.acquire()
            await self._gather()
            self._not_before = clock() + _INTERVAL_SECONDS
            write = asyncio.create_task(self._write_group(self._next_group()))
            self._writes.add(write)
            write.add_done_callback(self._ended)
        await asyncio.gather(*self._writes)

    def _ended(self, write: asyncio.Task[None]) -> None:
        self._writes.discard(write)
        self._may_write.release()
        self._changed.set()

    async def _something_waits(self) -> bool:
        while not self._waiting and not self._closing:
            self._changed.clear()
            await self._changed.wait()
        return bool(self._waiting)

    async def _gather(self) -> None:
        """Wait for more until a moment, or until enough waits, or as many requests as were answered last, if several."""
        while self._writes and not self._enough_waits():
            self._changed.clear()
            await self._changed.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._not_before):
                while not (self._closing or self._enough_waits() or 1 < self._answered <= len(self._waiting)):
                    self._changed.clear()
                    await self._changed.wait()

    def _enough_waits(self) -> bool:
        return sum(one.batch.items for one in self._waiting) >= _ENOUGH_ITEMS

    def _next_group(self) -> list[_Waiting]:
        """What is written next: of one signal, the one that has waited longest, as much as may be."""
        signal = self._waiting[0].batch.signal
        group: list[_Waiting] = []
        rest: list[_Waiting] = []
        items = length = 0
        for at, one in enumerate(self._waiting):
            if one.batch.signal != signal:
                rest.append(one)
                continue
            items += one.batch.items
            length += len(one.batch.body)
            if group and (items > _MOST_ITEMS or length > _MOST_BYTES):
                rest += self._waiting[at:]
                break
            group.append(one)
        self._waiting = rest
        return group

    async def _write_group(self, group: Sequence[_Waiting]) -> None:
        await self._write_and_answer(group)
        # Clients that were answered together come back soon.
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + _RETURN_SECONDS)
        self._answered = len(group)

    async def _write_and_answer(self, group: Sequence[_Waiting]) -> None:
        try:
            await self._in_thread(group)
        except UnreadableError as error:
            await self._write_apart(group, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            _logger.error("%d requests were not written, their senders are asked to repeat them: %s", len(group), error)  # noqa: TRY400 - the message says it
            _answer(group, NotWrittenError())
        else:
            _answer(group, None)

    async def _write_apart(self, group: Sequence[_Waiting], cause: UnreadableError) -> None:
        """Write each batch by itself, so that what the store cannot read in one harms no other."""
        if len(group) == 1:
            _logger.warning("a request was refused: %s", cause)
            _answer(group, BadBodyError("the store cannot read this request; the log of the server says why."))
            return
        for one in group:
            await self._write_and_answer([one])

    async def _in_thread(self, group: Sequence[_Waiting]) -> None:
        batches = [one.batch for one in group]
        await asyncio.get_running_loop().run_in_executor(self._threads, self._write, batches)


def _answer(group: Sequence[_Waiting], cause: Refusal | None) -> None:
    for one in group:
        # Done already if its client went away.
        if one.written.done():
            continue
        if cause is None:
            one.written.set_result(None)
        else:
            one.written.set_exception(cause)
