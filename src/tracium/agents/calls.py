"""Calls of a decorated function, each as one span: functions, coroutines, generators and async generators.

The function is called exactly once for each call, with what it was given; what it returns, yields and raises is its own.
"""

from __future__ import annotations

import functools
import inspect
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tracium.tenancy.block import here
from tracium.tenancy.stepping import first, step_async_generator, step_generator

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
        if self.argument is None:
            return self._wrapped(function)
        _check_argument(function, self.argument)
        return _without_argument(self._wrapped(function), self.argument)

    def _wrapped(self, function: Any) -> Any:
        if _is(inspect.isasyncgenfunction, function):
            return self._async_generator(function)
        if _is(inspect.isgeneratorfunction, function):
            return step_generator(self._generator(function), here)
        if _is(inspect.iscoroutinefunction, function):
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
                f"capture_return cannot be used with {_called(function)}: an async generator returns nothing. Get the handle "
                "as an argument, and call its record_output() with what was yielded."
            )

        @functools.wraps(function)
        async def generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            with self.block() as handle:
                inner = function(*args, **self._given(handle, function, args, kwargs))
                sent, thrown = None, None
                # What `yield from` does, which Python does not have for these.
                try:
                    value = await first(inner)
                    while True:
                        try:
                            sent, thrown = (yield value), None
                        except GeneratorExit:
                            await inner.aclose()
                            raise
                        except BaseException as error:  # noqa: BLE001 - whatever the caller throws is for the generator
                            thrown = error
                        value = await (inner.asend(sent) if thrown is None else inner.athrow(thrown))
                except StopAsyncIteration:
                    return
                finally:
                    # Its traceback has this frame.
                    thrown = None

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
                f"{_called(function)}() was given {self.argument}=, which is the argument that gets the handle of the span: "
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


if sys.version_info >= (3, 14):
    from annotationlib import Format, get_annotations

    # Types that are imported for type checkers only are no names when the app runs.
    _signature = functools.partial(inspect.signature, annotation_format=Format.FORWARDREF)
    _annotations = functools.partial(get_annotations, format=Format.FORWARDREF)
else:
    _signature = inspect.signature
    _annotations = inspect.get_annotations


def _called(function: Any) -> str:
    return getattr(function, "__qualname__", None) or name_of(function)


def _is(kind: Callable[[Any], bool], function: Any) -> bool:
    """Whether a function, or the `__call__` of an object, is of a kind of `inspect`."""
    if kind(function):
        return True
    while isinstance(function, functools.partial):
        function = function.func
    return not inspect.isroutine(function) and kind(type(function).__call__)


def _without_argument(function: Any, argument: str) -> Any:
    """`function`, for frameworks that read how it is called: the handle is none of what they pass."""
    signature = _signature(function)
    kept = [one for name, one in signature.parameters.items() if name != argument]
    function.__signature__ = signature.replace(parameters=kept)
    function.__annotations__ = {name: kind for name, kind in _annotations(function).items() if name != argument}
    return function


def _check_argument(function: Callable[..., Any], argument: str) -> None:
    parameters = _signature(function).parameters
    found = parameters.get(argument)
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    if not takes_any and (
        found is None or found.kind in {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL}
    ):
        raise TypeError(
            f"{_called(function)}() has no argument {argument!r} that could get the handle of its span. Add it, such as "
            f"`*, {argument}`."
        )


def _named(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """The arguments of a call by their names; None where they do not fit, which the call will say itself."""
    try:
        bound = _signature(function).bind_partial(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return None
    return {name: value for name, value in bound.items() if name not in _RECEIVERS}
