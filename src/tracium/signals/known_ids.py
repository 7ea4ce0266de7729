"""The ids that were seen last in this process: whatever has one is counted once."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress


class KnownIds:
    """A set that keeps the newest of its members.

    A forked child takes over what its parent knew. There is no lock: a signal's handler may come here while the thread that
    it interrupts is here.

    Args:
        size: How many are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        # In the order in which they came; the first of a plain dict takes ever longer to find as they go.
        self._ids: OrderedDict[int, object] = OrderedDict()

    def add(self, member: int) -> bool:
        """Add `member`; tell whether it is new."""
        mark = object()
        new = self._ids.setdefault(member, mark) is mark
        if len(self._ids) > self._size:
            with suppress(KeyError):
                self._ids.popitem(last=False)
        return new

    def discard(self, member: int) -> None:
        """Forget `member`."""
        self._ids.pop(member, None)

    def __len__(self) -> int:
        return len(self._ids)
