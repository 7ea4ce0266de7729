"""Calls of a decorated function, each as one span: functions, coroutines, generators and async generators.

The function is called exactly once for each call, with what it was given; what it returns, yields and raises is its own.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tracium.tenancy.block import here
from tracium.tenancy.stepping import step_async_generator, step_generator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from tracium.agents.span import AgentSpan

Function = TypeVar("Function", bound="Callable[..., object]")
_RECEIVERS = frozenset({"self", "cls"})


@dataclass(frozen=True, slots=True)
class Calls:
    """How each call becomes a span.

    Attributes:
        block: Makes the block for one call.
        argument: The function's argument that gets the handle, or None.
        takes: Whether its arguments are recorded as the input.
        gives: Whether what it returns is recorded as the output.
    """

    block: Callable[[], AgentSpan]
    argument: str | None
    takes: bool
    gives: bool

    def decorate(self, function: Function) -> Function:
        """The function, whose calls are spans.

        Raises:
            TypeError: It does not have the argument, or gives nothing that could be recorded.
        """
        return cast("Function", self._decorate(function))

    def _decorate(self, function: Any) -> Any:
        if isinstance(function, staticmethod | classmethod):
            return type(function)(self._decorate(function.__func__))
        if self.argument is not None:
            _check_argument(function, self.argument)
        if inspect.isasyncgenfunction(function):
            return self._async_generator(function)
        if inspect.isgeneratorfunction(function):
            return step_generator(self._generator(function), here)
        if inspect.iscoroutinefunction(function):
            return self._coroutine(function)
        return self._function(function)

    def _function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        block = self.block
        if self.argument is not None or self.takes or self.gives:
            return self._recorded_function(function)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with block():
                return function(*args, **kwargs)

        return call

    def _recorded_function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.block() as handle:
                returned = function(*args, **self._given(handle, function, args, kwargs))
                self._give(handle, returned)
                return returned

        return call

    def _coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with self.block() as handle:
                returned = await function(*args, **self._given(handle, function, args, kwargs))
                self._give(handle, returned)
                return returned

        return coroutine

    def _generator(self, function: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Generator[Any, Any, Any]]:
        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with self.block() as handle:
                returned = yield from function(*args, **self._given(handle, function, args, kwargs))
                self._give(handle, returned)
                return returned

        return generator

    def _async_generator(self, function: Callable[..., AsyncGenerator[Any, Any]]) -> Callable[..., Any]:
        if self.gives:
            raise TypeError(
                f"capture_return cannot be used with {function.__qualname__}: an async generator returns nothing. Get the handle "
                "as an argument, and call its record_output() with what was yielded."
            )

        @functools.wraps(function)
        async def generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            with self.block() as handle:
                inner = function(*args, **self._given(handle, function, args, kwargs))
                # What `yield from` does, which Python does not have for these.
                try:
                    value = await anext(inner)
                    while True:
                        try:
                            sent = yield value
                        except GeneratorExit:
                            await inner.aclose()
                            raise
                        except BaseException as error:  # noqa: BLE001 - whatever the caller throws is for the generator
                            value = await inner.athrow(error)
                        else:
                            value = await inner.asend(sent)
                except StopAsyncIteration:
                    return

        return step_async_generator(generator, here)

    def _given(
        self, handle: AgentSpan, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """The keyword arguments for the function: those of the call, and the handle."""
        if self.takes:
            handle.record_input(_named(function, args, kwargs))
        if self.argument is None:
            return kwargs
        if self.argument in kwargs:
            raise TypeError(
                f"{function.__qualname__}() was given {self.argument}=, which is the argument that gets the handle of the span: "
                "leave it out of the call."
            )
        return {**kwargs, self.argument: handle}

    def _give(self, handle: AgentSpan, returned: object) -> None:
        if self.gives:
            handle.record_output(returned)


def checked_target(target: Any, argument: str) -> Any:
    """Give back what stands under a decorator without parentheses, if it can be decorated.

    Raises:
        TypeError: It cannot.
    """
    if isinstance(target, type) or not (callable(target) or isinstance(target, classmethod)):
        what = "a class" if isinstance(target, type) else f"{type(target).__name__}"
        raise TypeError(
            f"{argument} must be a string, or this decorates a function, coroutine function, generator or async generator; it "
            f"was given {what}: {target!r:.80}."
        )
    return target


def name_of(function: Any) -> str:
    """The name of what is decorated.

    Raises:
        TypeError: It cannot be decorated.
    """
    checked_target(function, "The name")
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def _check_argument(function: Callable[..., Any], argument: str) -> None:
    parameters = inspect.signature(function).parameters
    found = parameters.get(argument)
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    if not takes_any and (
        found is None or found.kind in {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL}
    ):
        raise TypeError(
            f"{function.__qualname__}() has no argument {argument!r} that could get the handle of its span. Add it, such as "
            f"`*, {argument}`."
        )


def _named(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """The arguments of a call by their names; None where they do not fit, which the call will say itself."""
    try:
        bound = inspect.signature(function).bind_partial(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return None
    return {name: value for name, value in bound.items() if name not in _RECEIVERS}
