"""Generators that run in an OpenTelemetry context of their own, step by step.

A generator shares its caller's context: what it attaches shows in the caller while it is suspended. Here each step
runs in the generator's own context, which is kept from step to step, and the caller's is put back after each.

What the caller throws is thrown again outside of `except`: what the generator raises then has no other `__context__`
than it would have without us.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context, attach, detach, get_current

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
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
        sent, thrown = None, None
        try:
            with step:
                value = next(generator)
            while True:
                try:
                    sent, thrown = (yield value), None
                except GeneratorExit:
                    with step:
                        generator.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever the caller throws is for the generator
                    thrown = error
                with step:
                    value = generator.send(sent) if thrown is None else generator.throw(thrown)
        except StopIteration as stop:
            return stop.value
        finally:
            # Its traceback has this frame.
            thrown = None

    return stepped


def step_async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], begin: Callable[[], Context]
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """Decorate an async generator function; `begin` gives the context of the first step."""

    @functools.wraps(function)
    async def stepped(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        step = Step(begin())
        sent, thrown = None, None
        try:
            with step:
                value = await first(generator)
            while True:
                try:
                    sent, thrown = (yield value), None
                except GeneratorExit:
                    with step:
                        await generator.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever the caller throws is for the generator
                    thrown = error
                with step:
                    value = await (generator.asend(sent) if thrown is None else generator.athrow(thrown))
        except StopAsyncIteration:
            return
        finally:
            # Its traceback has this frame.
            thrown = None

    return stepped


def first(generator: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """The first step of an async generator that another one closes.

    An event loop closes all async generators that it has seen the first step of, in tasks of their own: at its end, and
    those that are garbage. It must see the outer one only, or it closes both at once.
    """
    hooks = sys.get_asyncgen_hooks()
    # With no finalizer at all Python would close it too.
    sys.set_asyncgen_hooks(None, _leave)
    try:
        return generator.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _leave(generator: AsyncGenerator[Any, Any]) -> None:
    """Leave it to the one around it."""
