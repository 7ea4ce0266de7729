"""What LiteLLM calls when a call has ended: it is no part of the call."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import attach, get_current
from wrapt import wrap_function_wrapper

from tracium.models.litellm.call import call_of
from tracium.tenancy.attachment import restore

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from opentelemetry.context import Context

_HANDLERS: Final = ("success_handler", "async_success_handler", "failure_handler", "async_failure_handler")


def keep_apart(module: ModuleType) -> None:
    """Let the app's callbacks run in the context around the call: a model that they call is called for itself.

    They run in a thread, or a task, while the call's span may be open. A judge's answer would be counted as the call's.
    """
    for name in _HANDLERS:
        if hasattr(module.Logging, name):
            wrap_function_wrapper(module, f"Logging.{name}", _outside)


def _outside(handle: Callable[..., Any], _logging: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    call = call_of(get_current())
    if call is None:
        return handle(*args, **kwargs)
    if inspect.iscoroutinefunction(handle):
        return _awaited(handle, call.around, args, kwargs)
    token = attach(call.around)
    try:
        return handle(*args, **kwargs)
    finally:
        restore(token)


async def _awaited(handle: Callable[..., Any], around: Context, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    token = attach(around)
    try:
        return await handle(*args, **kwargs)
    finally:
        restore(token)
