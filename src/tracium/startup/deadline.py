"""Several things that take time together: one deadline for all of them, and none that keeps the others waiting."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Deadline:
    """The moment until which all has to be done.

    Args:
        seconds: From now on.
    """

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then, 0 when it is over."""
        return max(self._at - time.monotonic(), 0.0)


def together(tasks: Iterable[Callable[[], object]], deadline: Deadline | None = None) -> bool:
    """Do all `tasks` at the same time, each in a thread of its own that does not keep the process.

    Args:
        tasks: Those that return False have not done what they should, nor those that raise.
        deadline: When to wait no longer; None waits for all of them.

    Returns:
        Whether all are done.
    """
    running = [_Running(task) for task in tasks]
    # Each is waited for, whether another one failed or not.
    done = [each.done(deadline) for each in running]
    return all(done)


class _Running:
    def __init__(self, task: Callable[[], object]) -> None:
        self._task = task
        self._done = False
        self._thread = threading.Thread(target=self._run, name="tracium-flush", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # From Python 3.12 on no thread begins any more when the interpreter ends.
            self._run()

    def done(self, deadline: Deadline | None) -> bool:
        if self._thread.ident is not None:
            self._thread.join(None if deadline is None else deadline.left)
        return self._done

    def _run(self) -> None:
        self._done = self._task() is not False
