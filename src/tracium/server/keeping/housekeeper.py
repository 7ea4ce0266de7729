"""The task of a server that keeps its store tidy."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from tracium.exceptions import StoreError
from tracium.server.keeping.expiry import Expiry
from tracium.server.keeping.snapshot import Snapshots

if TYPE_CHECKING:
    from tracium.server.store import Store

_logger: Final = logging.getLogger(__name__)
_SECONDS: Final = 3600


class Housekeeper:
    """Tidies at the start and then every hour, in a thread; several servers of one store may each have one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._task: asyncio.Task[None] | None = None
        self._has_tidied = False

    def start(self) -> None:
        """Begin; to be called in the event loop."""
        self._task = asyncio.create_task(self._run(), name="tracium-housekeeper")

    async def close(self) -> None:
        """End; what the engine deletes at this moment goes on after the next start."""
        self._store.maintenance.end()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._tidy)
            except StoreError as error:
                if self._store.maintenance.is_ending:
                    return
                _logger.warning("the store could not be tidied, the next try is in an hour: %s", error)
            await asyncio.sleep(_SECONDS)

    def _tidy(self) -> None:
        if not self._has_tidied:
            # What a copy that was interrupted left holds disk space; later ones may be somebody's at work.
            Snapshots(self._store).drop_all()
            self._has_tidied = True
        Expiry(self._store).tidy()
