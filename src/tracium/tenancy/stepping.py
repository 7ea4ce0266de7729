"""Generators that run in an OpenTelemetry context of their own, step by step.

A generator shares its caller's context: what it attaches shows in the caller while it is suspended. Here each step
runs in the generator's own context, which is kept from step to step, and the caller's is put back after each.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context, attach, detach, get_current

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from types import TracebackType


class Step:
    """One step after the other, each in the context that the last one left.

    Args:
        context: That of the first step.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._token: Any = None

    def __enter__(self) -> None:
        self._token = attach(self._context)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context = get_current()
        detach(self._token)


def step_generator(
    function: Callable[..., Generator[Any, Any, Any]], begin: Callable[[], Context]
) -> Callable[..., Generator[Any, Any, Any]]:
    """Decorate a generator function; `begin` gives the context of the first step."""

    @functools.wraps(function)
    def stepped(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        step = Step(begin())
        try:
            with step:
                value = next(generator)
            while True:
                try:
                    sent = yield value
                except GeneratorExit:
                    with step:
                        generator.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever the caller throws is for the generator
                    with step:
                        value = generator.throw(error)
                else:
                    with step:
                        value = generator.send(sent)
        except StopIteration as stop:
            return stop.value

    return stepped


def step_async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], begin: Callable[[], Context]
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """Decorate an async generator function; `begin` gives the context of the first step."""

    @functools.wraps(function)
    async def stepped(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        step = Step(begin())
        try:
            with step:
                value = await anext(generator)
            while True:
                try:
                    sent = yield value
                except GeneratorExit:
                    with step:
                        await generator.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever the caller throws is for the generator
                    with step:
                        value = await generator.athrow(error)
                else:
                    with step:
                        value = await generator.asend(sent)
        except StopAsyncIteration:
            return

    return stepped
