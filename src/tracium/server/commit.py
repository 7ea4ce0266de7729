"""Group commit: many requests, one durable write, and only then their answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracium.server.refusal import NotWrittenError, OverloadedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracium.server.otlp import TraceBatch

_logger: Final = logging.getLogger(__name__)

# A write costs 20 to 35 ms whatever its size, and each one leaves a file set that has to be merged later.
_ENOUGH_SPANS: Final = 5_000
_INTERVAL_SECONDS: Final = 0.05
# One write's limits, so that a backlog needs bounded memory in the engine.
_MOST_SPANS: Final = 50_000
_MOST_BYTES: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class _Waiting:
    batch: TraceBatch
    written: asyncio.Future[None]


class Committer:
    """Gathers batches and writes them together, one write at a time, in a thread of its own.

    The first batch after a pause is written at once. Under load a write starts when the last one began long enough
    ago or enough spans wait, whichever is first, and what arrives while one runs goes into the next.
    """

    def __init__(self, write: Callable[[Sequence[bytes]], None]) -> None:
        self._write = write
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tracium-commit")
        self._waiting: list[_Waiting] = []
        self._changed = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write; to be called in the event loop."""
        self._task = asyncio.create_task(self._run(), name="tracium-commit")

    async def commit(self, batch: TraceBatch) -> None:
        """Return when `batch` is durably written.

        Raises:
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
        self._thread.shutdown()

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        not_before = clock()
        while await self._something_waits():
            await self._gather(not_before)
            not_before = clock() + _INTERVAL_SECONDS
            await self._write_group(self._next_group())

    async def _something_waits(self) -> bool:
        while not self._waiting and not self._closing:
            self._changed.clear()
            await self._changed.wait()
        return bool(self._waiting)

    async def _gather(self, until: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                while not self._closing and sum(one.batch.spans for one in self._waiting) < _ENOUGH_SPANS:
                    self._changed.clear()
                    await self._changed.wait()

    def _next_group(self) -> list[_Waiting]:
        size = spans = length = 0
        for one in self._waiting:
            spans += one.batch.spans
            length += len(one.batch.body)
            if size and (spans > _MOST_SPANS or length > _MOST_BYTES):
                break
            size += 1
        group, self._waiting = self._waiting[:size], self._waiting[size:]
        return group

    async def _write_group(self, group: Sequence[_Waiting]) -> None:
        try:
            await self._in_thread(group)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            await self._write_apart(group, error)
        else:
            for one in group:
                _answer(one, None)

    async def _write_apart(self, group: Sequence[_Waiting], cause: Exception) -> None:
        """Write each batch by itself, so that what the store refuses in one harms no other."""
        if len(group) == 1:
            _logger.error("a batch of %d spans was not written: %s", group[0].batch.spans, cause)
            _answer(group[0], cause)
            return
        for one in group:
            await self._write_group([one])

    async def _in_thread(self, group: Sequence[_Waiting]) -> None:
        bodies = [one.batch.body for one in group]
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, bodies)


def _answer(one: _Waiting, cause: Exception | None) -> None:
    # Done already if its client went away.
    if one.written.done():
        return
    if cause is None:
        one.written.set_result(None)
    else:
        one.written.set_exception(NotWrittenError(str(cause)))
