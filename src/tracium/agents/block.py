"""A block of code as one span: sync and async, in generators, across threads and tasks."""

from __future__ import annotations

import inspect
import logging
import sys
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry.context import Context, attach, create_key, get_current
from opentelemetry.trace import INVALID_SPAN

from tracium import notices
from tracium.exceptions import AgentError
from tracium.faults import fault
from tracium.forks import in_children
from tracium.tenancy.attachment import restore
from tracium.tenancy.block import here, innermost
from tracium.tenancy.standing import SPAN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextvars import Token
    from types import FrameType, TracebackType

    from opentelemetry.trace import Span

# The innermost block that is open around the code of a context.
_OPEN: Final = create_key("tracium-agent-spans")
_GENERATOR: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR

# How many forks lie between the first process and this one.
_generation = 0


def _begin_generation() -> None:
    global _generation  # noqa: PLW0603 - one for the process
    _generation += 1


in_children(_begin_generation)


class Block:
    """What is common to runs and steps: how they begin, where they stand, and how they end."""

    # Defaults on the class: most blocks change few of them, and making one must cost little.
    _span: Span | None = None
    _token: Token[Context] | None = None
    _before: Context | None = None
    _inside: Context | None = None
    _outer: Block | None = None
    _above: Block | None = None
    _ended: bool = False
    _end_time: int | None = None
    _began_in: int = 0

    def __enter__(self) -> Self:
        if self._span is not None:
            raise AgentError(
                "This run or step of an agent was entered before, and each is one span. Make a new one for each block: "
                "`with tracium.start_trace(…):`, `with run.span(…):`."
            )
        try:
            self._start()
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            self._span = self._span or INVALID_SPAN
            fault("starting the span of an agent", error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        token = self._token
        if token is not None:
            self._token = None
            if get_current() is self._inside:
                restore(token)
            else:
                self._leave_changed(token, inspect.currentframe())
            self._inside = None
        if not self._ended:
            self._finish(error)
        elif isinstance(error, Exception):
            self._say_ended()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def _around(self, context: Context) -> Context:
        """The context to start in, where the code runs in `context`."""
        return context if self._above is None else _below(self._above, context)

    def _open(self, context: Context) -> Span:
        """Start the span in `context`."""
        raise NotImplementedError

    def _complete(self, span: Span, error: BaseException | None) -> None:
        """Write what is known at the end onto the span, which is still open."""
        raise NotImplementedError

    def _label(self) -> str:
        """What it is called in a notice."""
        raise NotImplementedError

    def _start(self) -> None:
        self._began_in = _generation
        context = self._around(here())
        outer = context.get(_OPEN)
        if outer is not None:
            self._outer = _nearest_open(outer)  # type: ignore[arg-type] # nobody else has this key
        self._span = span = self._open(context)
        values = context.copy()
        values[SPAN] = span
        values[_OPEN] = self
        self._before = context
        self._inside = Context(values)
        self._token = attach(self._inside)

    def _finish(self, error: BaseException | None) -> None:
        """End the span; once."""
        self._ended = True
        span = self._span
        # Python closes suspended generators last of all, when nothing can be recorded any more.
        if span is None or sys.is_finalizing():
            return
        try:
            self._complete(span, error)
        except Exception as failed:  # noqa: BLE001 - recording never breaks the app
            fault("ending the span of an agent", failed)
        finally:
            # What was started inside may go on for ever, and must not keep what is around this.
            self._before = self._above = None
            span.end(self._end_time)

    def _leave_changed(self, token: Token[Context], frame: FrameType | None) -> None:
        """Put back the context from before, unless it is a generator's caller's own by now, who keeps it."""
        current, before = get_current(), self._before
        own = (
            current.get(_OPEN) is self
            and current.get(SPAN) is self._span
            and (before is None or innermost(current) is innermost(before))
        )
        if own or not _stands_in_generator(frame):
            restore(token)

    def _is_of_parent(self) -> bool:
        """Whether it began in a process that this one was forked from, which ends it too."""
        return self._began_in != _generation

    def _is_over(self) -> bool:
        """Whether it has ended, so that nothing can be recorded any more; that is said."""
        if self._ended:
            self._say_ended()
        return self._ended

    def _say_ended(self) -> None:
        notices.say(
            "agent:ended",
            logging.WARNING,
            f"{self._label()} had ended when more was recorded on it, which is not on its span. Record inside its `with` "
            "block, and before finish().",
        )


def open_blocks(context: Context | None = None) -> Iterator[Block]:
    """The blocks that are open around the code of a context, the current one unless given; innermost first."""
    found: Any = (get_current() if context is None else context).get(_OPEN)
    block: Block | None = found
    while block is not None:
        if not block._ended:  # noqa: SLF001 - of this module
            yield block
        block = block._outer  # noqa: SLF001


def open_spans(context: Context) -> Iterator[Span]:
    """The spans of the blocks that are open around the code of a context, innermost first."""
    return (block._span for block in open_blocks(context) if block._span is not None)  # noqa: SLF001 - of this module


def _nearest_open(block: Block | None) -> Block | None:
    """The nearest of `block` and those around it that has not ended; links to ended ones are shortened on the way."""
    while block is not None and block._ended:  # noqa: SLF001 - of this module
        block = block._outer  # noqa: SLF001
    if block is not None and block._outer is not None and block._outer._ended:  # noqa: SLF001
        block._outer = _nearest_open(block._outer)  # noqa: SLF001
    return block


def _below(above: Block, context: Context) -> Context:
    """`context`, under the span of `above`: where the code runs in a context that does not know it, it is told.

    That is so in a thread, and where a web framework runs each step of a generator in a copy of the context from before.
    Its tenant is what `context` says, and else that of the request of `above`: what held where `above` began may be another
    tenant than the one whose work it is.
    """
    if above._span is None or any(block is above for block in _chain(context)):  # noqa: SLF001 - of this module
        return context
    values = context.copy()
    values[SPAN] = above._span  # noqa: SLF001
    values[_OPEN] = above
    return Context(values)


def _chain(context: Context) -> Iterator[Block]:
    block: Any = context.get(_OPEN)
    while block is not None:
        yield block
        block = block._outer  # noqa: SLF001 - of this module


def _stands_in_generator(frame: FrameType | None) -> bool:
    """Whether the block is a generator's; `frame` is that of `__exit__`, which `__aexit__` may have called."""
    caller = None if frame is None else frame.f_back
    if caller is not None and caller.f_code is Block.__aexit__.__code__:
        caller = caller.f_back
    return caller is not None and bool(caller.f_code.co_flags & _GENERATOR)
