"""The ids that were seen last in this process: whatever has one is counted once."""

from __future__ import annotations

import threading
from collections import OrderedDict

from tracium.forks import in_children


class KnownIds:
    """A set that keeps the newest of its members.

    A forked child takes over what its parent knew.

    Args:
        size: How many are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        # In the order in which they came; the first of a plain dict takes ever longer to find as they go.
        self._ids: OrderedDict[int, None] = OrderedDict()
        self._renew_lock()
        in_children(self._renew_lock)

    def add(self, member: int) -> bool:
        """Add `member`; tell whether it is new."""
        with self._lock:
            if member in self._ids:
                return False
            self._ids[member] = None
            if len(self._ids) > self._size:
                self._ids.popitem(last=False)
            return True

    def discard(self, member: int) -> None:
        """Forget `member`."""
        with self._lock:
            self._ids.pop(member, None)

    def __len__(self) -> int:
        return len(self._ids)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()
