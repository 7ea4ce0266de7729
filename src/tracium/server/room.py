"""Room for what needs much more memory than its bytes say."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Room:
    """Lets in what fits beside each other, in the order in which it came; used from one event loop only.

    Args:
        size: how much that is; what is larger is let in alone.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._freed = asyncio.Event()
        # Whoever is next waits in it, so that many small ones do not keep a large one out.
        self._door = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def of(self, amount: int) -> AsyncIterator[None]:
        """Run a block in a part of the room, once there is one."""
        async with self._door:
            while self._taken and self._taken + amount > self._size:
                self._freed.clear()
                await self._freed.wait()
            self._taken += amount
        try:
            yield
        finally:
            self._taken -= amount
            self._freed.set()
