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
    """Sends the last spans before the process ends: at exit and on SIGTERM.

    Python ends by SIGTERM without running what is registered for its exit. So we take the signal where nobody has; the
    process ends by it as before. A handler that the app or its server has, or sets later, is left alone: it ends the
    process in its own way, and what is under way until then is sent at the exit.

    Args:
        flush: Called at exit.
        drain: Called on the signal, in a thread of its own; it must take no lock that the main thread may hold.
        give_up: Called when it has not returned in time.
        timeout: Gives the seconds that it has.
    """

    def __init__(
        self,
        flush: Callable[[], object],
        drain: Callable[[], object],
        give_up: Callable[[], object],
        timeout: Callable[[], float],
    ) -> None:
        self._flush = flush
        self._drain = drain
        self._give_up = give_up
        self._timeout = timeout

    def watch(self) -> None:
        """Take our place at the end of the process."""
        atexit.register(self._flush)
        if threading.current_thread() is threading.main_thread() and signal.getsignal(_SIGNAL) is signal.SIG_DFL:
            signal.signal(_SIGNAL, self._on_signal)

    def leave(self) -> None:
        """Give our place back."""
        atexit.unregister(self._flush)
        if signal.getsignal(_SIGNAL) == self._on_signal and threading.current_thread() is threading.main_thread():
            signal.signal(_SIGNAL, signal.SIG_DFL)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a handler
        if _waits_green():
            # gevent runs handlers in its event loop, where nothing may wait; this does not wait either, it makes a greenlet.
            _thread.start_new_thread(self._flush_and_end, (number,))
            return
        # The handler interrupts the main thread anywhere, also where it holds a lock that a flush needs.
        draining = threading.Thread(target=self._drain, name="tracium-flush", daemon=True)
        draining.start()
        draining.join(self._timeout())
        if draining.is_alive():
            self._give_up()
        _end(number)

    def _flush_and_end(self, number: int) -> None:
        try:
            self._flush()
        finally:
            _end(number)


def _end(number: int) -> None:
    """End by the signal, as without us."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _waits_green() -> bool:
    """Whether gevent has put its own threads into the place of Python's."""
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))
