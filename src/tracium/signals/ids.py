"""Trace and span ids that the caller chose, through the SDK's own seam for ids: the provider's `IdGenerator`.

https://opentelemetry.io/docs/specs/otel/trace/sdk/#id-generators
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import get_tracer_provider

if TYPE_CHECKING:
    from collections.abc import Iterator

# https://opentelemetry.io/docs/specs/otel/trace/api/#spancontext
_TRACE_ID_BITS: Final = 128
_SPAN_ID_BITS: Final = 64


class _Choice:
    """Ids for one span; each is used once, so that a task that copied the context cannot use them again."""

    __slots__ = ("chose_trace", "span_id", "trace_id")

    def __init__(self, trace_id: int | None, span_id: int | None) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.chose_trace = False

    def spend(self) -> None:
        self.trace_id = self.span_id = None


_choice: Final[ContextVar[_Choice | None]] = ContextVar("tracium-chosen-ids", default=None)


class ChoosableIds(IdGenerator):
    """The ids that `chosen` asks for; all others come from the generator that was there before.

    Attributes:
        others: That generator.
    """

    def __init__(self, others: IdGenerator) -> None:
        self.others = others

    def generate_trace_id(self) -> int:
        """The chosen trace id, once, else another."""
        choice = _choice.get()
        if choice is None:
            return self.others.generate_trace_id()
        if choice.trace_id is None:
            choice.chose_trace = False
            return self.others.generate_trace_id()
        trace_id, choice.trace_id, choice.chose_trace = choice.trace_id, None, True
        return trace_id

    def generate_span_id(self) -> int:
        """The chosen span id, once, else another. It comes last when a span starts, so that it ends the choice."""
        choice = _choice.get()
        if choice is None:
            return self.others.generate_span_id()
        span_id = choice.span_id
        choice.spend()
        return self.others.generate_span_id() if span_id is None else span_id

    def is_trace_id_random(self) -> bool:
        """Whether the trace id that was made last is random: a chosen one is not known to be."""
        choice = _choice.get()
        if choice is not None and choice.chose_trace:
            return False
        return self.others.is_trace_id_random()


def install(provider: object) -> bool:
    """Let `provider` take chosen ids; tell whether it does. Once is enough.

    Tracers take their generator along when they are made, so this comes before the first one.
    """
    if takes_choice(provider):
        return True
    others = getattr(provider, "id_generator", None)
    if not isinstance(others, IdGenerator):
        return False
    try:
        provider.id_generator = ChoosableIds(others)  # type: ignore[attr-defined] # it was there
    except AttributeError:
        # Another vendor's provider may not let itself be changed.
        return False
    return takes_choice(provider)


def takes_choice(provider: object) -> bool:
    """Whether `provider`, or a tracer of the SDK, takes chosen ids."""
    return isinstance(getattr(provider, "id_generator", None), ChoosableIds)


@contextmanager
def chosen(trace_id: int | None = None, span_id: int | None = None, *, of: object = None) -> Iterator[bool]:
    """Give the next span that starts in the block these ids, on this thread and in this task.

    A span with a parent has its parent's trace id, whatever is chosen: start it in a context without a span.

    Args:
        trace_id: 1 to 2¹²⁸-1, or None for any.
        span_id: 1 to 2⁶⁴-1, or None for any.
        of: The provider, or the tracer, that starts the span; the global provider unless given.

    Yields:
        Whether that provider takes chosen ids; if not, the span gets ids of its own.

    Raises:
        TypeError: An id is no integer.
        ValueError: An id is out of range.
    """
    choice = _Choice(_checked("trace", trace_id, _TRACE_ID_BITS), _checked("span", span_id, _SPAN_ID_BITS))
    token = _choice.set(choice)
    try:
        yield takes_choice(get_tracer_provider() if of is None else of)
    finally:
        choice.spend()
        _choice.reset(token)


def _checked(name: str, value: int | None, bits: int) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"A {name} id must be an integer, not {type(value).__name__}: {value!r}.")
    if not 0 < value < 1 << bits:
        raise ValueError(
            f"A {name} id is an integer from 1 to 2**{bits} - 1, not {value!r}; zero means that there is none."
        )
    return value
