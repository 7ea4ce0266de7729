"""`tracium.carry`: a function that takes the context of this moment along."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar, cast

from opentelemetry.context import Context, attach

from tracium.tenancy.attachment import restore
from tracium.tenancy.block import here
from tracium.tenancy.stepping import step_async_generator, step_generator

if TYPE_CHECKING:
    from collections.abc import Callable

_Function = TypeVar("_Function", bound="Callable[..., object]")


def carry(function: _Function) -> _Function:
    """`function`, bound to the tenant and the trace of this moment, wherever and whenever it is called.

    For what hands work to a thread that was there before: the work belongs to whoever handed it over, and the thread to
    nobody. Functions, coroutine functions, generators and async generators are served; each call begins anew with the
    context of the moment at which `carry` was called.

    Example:
        jobs.put(tracium.carry(lambda: send_mail(user)))  # a worker thread takes it out and calls it
    """
    context = here()
    if inspect.isasyncgenfunction(function):
        return cast("_Function", step_async_generator(function, lambda: context))
    if inspect.isgeneratorfunction(function):
        return cast("_Function", step_generator(function, lambda: context))
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            token = attach(context)
            try:
                return await function(*args, **kwargs)
            finally:
                restore(token)

        return cast("_Function", coroutine)
    # A callable object has a state of its own, which stays its own.
    return cast("_Function", functools.update_wrapper(bind(context, function), function, updated=()))


def bind(context: Context, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, whose calls run in `context`."""

    def bound(*args: Any, **kwargs: Any) -> Any:
        token = attach(context)
        try:
            return function(*args, **kwargs)
        finally:
            restore(token)

    return bound
