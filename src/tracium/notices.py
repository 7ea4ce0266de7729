"""What tracium has to say to the operator: each thing once, by name, through `logging`, and kept for the report."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Final

from tracium.forks import in_children

logger: Final = logging.getLogger("tracium")


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that was said.

    Attributes:
        key: What it is about; the same key is said once in a process.
        level: A level of `logging`; from WARNING on, something is wrong.
        text: The sentence, with the cure.
        count: How often it happened.
    """

    key: str
    level: int
    text: str
    count: int = 1


class _Board:
    """Keeps what was said. The lock is re-entrant: a handler that logs may come back here."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        in_children(self._renew_lock)
        self._notices: dict[str, Notice] = {}

    def _renew_lock(self) -> None:
        self._lock = threading.RLock()

    def say(self, key: str, level: int, text: str) -> None:
        with self._lock:
            known = self._notices.get(key)
            self._notices[key] = Notice(key, level, text, 1 if known is None else known.count + 1)
        if known is None:
            logger.log(level, "%s", text)

    def all(self) -> tuple[Notice, ...]:
        with self._lock:
            return tuple(self._notices.values())

    def reset(self) -> None:
        with self._lock:
            self._notices.clear()


_board: Final = _Board()

say = _board.say
"""Say `text` at `level` unless something with the same `key` was said before; count it in any case."""

notices = _board.all
"""Everything that was said, in the order in which it was first said."""

reset = _board.reset
"""Forget everything (for tests)."""
