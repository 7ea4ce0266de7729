"""How many requests are taken at once."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tracium.server.refusal import OverloadedError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Admission:
    """Requests that are being taken, over whichever protocol, up to a limit; used from the event loop only."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside = 0

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Run a block as one of them.

        Raises:
            OverloadedError: there are as many as there may be.
        """
        if self._inside >= self._limit:
            raise OverloadedError(f"{self._limit} requests are being taken, which is the limit. Send it again later.")
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
