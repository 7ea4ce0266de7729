"""What comes in, over whichever protocol: read, checked, and durable before it is answered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from tracium.server.admission import Admission
from tracium.server.budget import Budget
from tracium.server.logs import read_logs
from tracium.server.metrics import read_metrics
from tracium.server.otlp import read_traces
from tracium.server.refusal import BodyTooLargeError
from tracium.server.room import Room

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracium.server.access.principal import Principal
    from tracium.server.batch import Signal
    from tracium.server.budget import Share
    from tracium.server.commit import Committer
    from tracium.server.reading import Reading

_READERS: Final[dict[Signal, Callable[[bytes, str, Principal], Reading]]] = {
    "traces": read_traces,
    "logs": read_logs,
    "metrics": read_metrics,
}

# What is read in less time than it takes to hand it to a thread and back.
SMALL_BYTES: Final = 32 * 2**10


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken; the defaults are ample for any SDK and Collector."""

    # One body, compressed and not.
    body_bytes: int = 32 * 2**20
    # All bodies that are being read or wait to be written.
    waiting_bytes: int = 256 * 2**20
    # For one body to arrive.
    body_seconds: float = 30
    # Requests that are being taken at once.
    requests: int = 1000


class Intake:
    """Takes telemetry; used from the event loop only.

    Args:
        committer: writes what was read.
        limits: what is taken.
    """

    def __init__(self, committer: Committer, limits: Limits) -> None:
        self.limits: Final = limits
        self.admission: Final = Admission(limits.requests)
        self._budget = Budget(limits.waiting_bytes)
        # Empty objects and messages take a hundred times the memory of their bytes once they are parsed.
        self._parsing = Room(limits.body_bytes)
        self._committer = committer

    def share(self) -> Share:
        """One request's part of the memory for bodies; a context manager."""
        return self._budget.share()

    def admit(self, length: int, share: Share) -> None:
        """Make room for a body of `length` bytes, or for its first ones.

        Raises:
            BodyTooLargeError: it is too long.
            OverloadedError: there is no room.
        """
        if length > self.limits.body_bytes:
            raise BodyTooLargeError(self.limits.body_bytes)
        share.grow_to(length)

    async def take(self, signal: Signal, body: bytes, content_type: str, sender: Principal, share: Share) -> Reading:
        """Store a request; when it returns, what was not rejected is durable.

        Args:
            signal: what the request carries.
            body: the uncompressed body.
            content_type: `parsing.PROTOBUF` or `parsing.JSON`.
            sender: who sent it.
            share: the request's part of the memory.

        Raises:
            Refusal: nothing of it was stored.
        """
        read = partial(_READERS[signal], body, content_type, sender)
        if len(body) <= SMALL_BYTES:
            reading = read()
        else:
            # Large bodies take their time, and the loop has other clients; a thread costs more than a small one.
            async with self._parsing.of(len(body)):
                reading = await asyncio.to_thread(read)
        if reading.batch.items:
            share.grow_to(len(reading.batch.body))
            await self._committer.commit(reading.batch)
        return reading
