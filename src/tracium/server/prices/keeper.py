"""Look prices up while the server runs, so that questions find them there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from tracium.exceptions import StoreError
from tracium.server.prices.book import book

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tracium.server.store import Store

_logger: Final = logging.getLogger(__name__)

_SECONDS: Final = 5


@contextlib.asynccontextmanager
async def prices_kept(store: Store) -> AsyncIterator[None]:
    """Look every five seconds for model calls of new kinds, while the block runs."""
    is_over = asyncio.Event()
    task = asyncio.create_task(_keep(store, is_over))
    try:
        yield
    finally:
        is_over.set()
        # A look-up that has begun ends before the store is closed.
        await task


async def _keep(store: Store, is_over: asyncio.Event) -> None:
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(is_over.wait(), _SECONDS)
        if is_over.is_set():
            return
        try:
            await asyncio.to_thread(book(store).ensure)
        except StoreError as error:
            _logger.warning("prices were not looked up: %s", error)
