"""Functions as agent runs and as steps of them."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tracium.agents.trace import start_trace, step

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracium.agents.span import AgentSpan

_Function = TypeVar("_Function", bound="Callable[..., object]")


def agent_trace(agent_name: str, *, version: str | None = None) -> Callable[[_Function], _Function]:
    """Decorate a function or coroutine function: each call is one run of the agent.

    Args:
        agent_name: As for `start_trace`.
        version: As for `start_trace`.
    """
    return lambda function: _each_call_in(function, lambda: start_trace(agent_name, version=version))


def agent_span(span_type: str, name: str | None = None) -> Callable[[_Function], _Function]:
    """Decorate a function or coroutine function: each call is one step of an agent's run.

    Args:
        span_type: As for `AgentTrace.span`.
        name: As for `AgentTrace.span`; the function's own name unless given.
    """

    def decorate(function: _Function) -> _Function:
        named = name if name is not None else getattr(function, "__name__", None)
        return _each_call_in(function, lambda: step(span_type, named))

    return decorate


def _each_call_in(function: _Function, block: Callable[[], AgentSpan]) -> _Function:
    wrapped = cast("Callable[..., Any]", function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{function.__qualname__} is a generator; open `with tracium.start_trace(…):` where it is consumed instead."
        )
    if inspect.iscoroutinefunction(function):

        @functools.wraps(wrapped)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            async with block():
                return await wrapped(*args, **kwargs)

        return cast("_Function", coroutine)

    @functools.wraps(wrapped)
    def call(*args: Any, **kwargs: Any) -> Any:
        with block():
            return wrapped(*args, **kwargs)

    return cast("_Function", call)
