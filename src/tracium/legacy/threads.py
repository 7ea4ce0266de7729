"""Threads of the older SDK, in which the caller's context variables hold: trace, tenant, and the app's own."""

from __future__ import annotations

import contextvars
import functools
import inspect
import threading
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tracium.tenancy.carrying import carry

if TYPE_CHECKING:
    from collections.abc import Callable

_Function = TypeVar("_Function", bound="Callable[..., object]")


def with_context(func: _Function) -> _Function:
    """`func`, whose calls run in a copy of all context variables of this moment.

    `tracium.carry` takes the trace and the tenant along, which is enough for telemetry. Coroutine functions and generators
    are carried like that here too.
    """
    carried = carry(func)
    if inspect.iscoroutinefunction(func) or inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        return carried
    around = contextvars.copy_context()

    def call(*args: Any, **kwargs: Any) -> Any:
        # A copy for each call: one context cannot be entered by two threads at a time.
        return around.copy().run(carried, *args, **kwargs)

    return cast("_Function", functools.update_wrapper(call, func, updated=()))


def run_in_thread(func: Callable[..., object], *args: Any, **kwargs: Any) -> threading.Thread:
    """Call `func` in a new thread, in a copy of all context variables of this moment; gives the started thread."""
    thread = threading.Thread(target=with_context(func), args=args, kwargs=kwargs)
    thread.start()
    return thread


class ContextThread(threading.Thread):
    """A thread whose target runs in a copy of all context variables of the moment at which the thread was made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._tracium_run: Callable[[], object] | None = with_context(super().run)

    def run(self) -> None:
        """Run the target; the context is let go then."""
        run, self._tracium_run = self._tracium_run, None
        (super().run if run is None else run)()
