"""The end of the process: the last spans are sent, also when it is asked to end."""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_SIGNAL: Final = signal.SIGTERM


class Exit:
    """Runs `flush` once more before the process ends: at exit and on SIGTERM.

    The handler of SIGTERM that was there is called as before; with none, the process ends by the signal as before. A
    handler that the app sets later replaces ours, and ends the process in its own way: through `atexit`.
    """

    def __init__(self, flush: Callable[[], object], timeout: Callable[[], float]) -> None:
        self._flush = flush
        self._timeout = timeout
        self._before: Any = None

    def watch(self) -> None:
        """Take our place at the end of the process."""
        atexit.register(self._flush)
        if threading.current_thread() is not threading.main_thread():
            return
        before = signal.getsignal(_SIGNAL)
        # None: a handler that Python did not set and cannot call. SIG_IGN: the process does not end by the signal.
        if before is not None and before is not signal.SIG_IGN:
            self._before = before
            signal.signal(_SIGNAL, self._on_signal)

    def leave(self) -> None:
        """Give our place back."""
        atexit.unregister(self._flush)
        if signal.getsignal(_SIGNAL) == self._on_signal and threading.current_thread() is threading.main_thread():
            signal.signal(_SIGNAL, self._before)
            self._before = None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if _waits_green():
            # gevent runs handlers in its event loop, where nothing may wait; this does not wait either, it makes a greenlet.
            _thread.start_new_thread(self._flush_and_end, (number, frame))
            return
        # The handler interrupts the main thread anywhere, also where it holds a lock that a flush needs.
        flushing = threading.Thread(target=self._flush, name="tracium-flush", daemon=True)
        flushing.start()
        flushing.join(self._timeout())
        self._end(number, frame)

    def _flush_and_end(self, number: int, frame: FrameType | None) -> None:
        try:
            self._flush()
        finally:
            self._end(number, frame)

    def _end(self, number: int, frame: FrameType | None) -> None:
        """Let happen what would have happened without us."""
        if callable(self._before):
            self._before(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def _waits_green() -> bool:
    """Whether gevent has put its own threads into the place of Python's."""
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))
