"""A span of an agent's run, as a block of code: sync and async."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from opentelemetry.context import attach, create_key, get_current, get_value, set_value
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    format_trace_id,
    get_tracer,
    set_span_in_context,
)

from tracium.attributes import ERROR_TYPE
from tracium.tenancy.attachment import restore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.util.types import AttributeValue

# The agent spans that are open around the code of a context, innermost first.
_OPEN: Final = create_key("tracium-agent-spans")


class AgentSpan:
    """A block of code as one span. An exception that leaves it is recorded on the span and goes on unchanged.

    Args:
        name: Of the span.
        attributes: At its start.
        kind: Of the span.
        above: The span that it is a step of, also where the code runs in a context that does not know it: a web framework
            may run each step of a generator in a copy of the context from before.
    """

    def __init__(
        self,
        name: str,
        attributes: Mapping[str, AttributeValue],
        kind: SpanKind,
        above: AgentSpan | None = None,
    ) -> None:
        self._name = name
        self._attributes = attributes
        self._kind = kind
        self._above = above
        self._span: Span | None = None
        self._token: Token[Context] | None = None

    @property
    def id(self) -> str | None:
        """The trace id, 32 hexadecimal digits; None before the block is entered."""
        return None if self._span is None else format_trace_id(self._span.get_span_context().trace_id)

    def __enter__(self) -> Self:
        context = self._around()
        self._span = get_tracer("tracium").start_span(self._name, context, kind=self._kind, attributes=self._attributes)
        self._token = attach(_inside(self, self._span, context))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        token, self._token = self._token, None
        if token is None or self._span is None:
            return
        restore(token)
        if isinstance(error, Exception):
            self._span.set_attribute(ERROR_TYPE, type(error).__qualname__)
            self._span.record_exception(error)
            self._span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        self._span.end()

    def _around(self) -> Context:
        """The current context, under the span that this one is a step of."""
        context = get_current()
        above = self._above
        if above is None or above._span is None or above in _open_in(context):  # noqa: SLF001 - of this class
            return context
        return _inside(above, above._span, context)  # noqa: SLF001

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def _inside(agent_span: AgentSpan, span: Span, context: Context) -> Context:
    return set_value(_OPEN, (agent_span, *_open_in(context)), set_span_in_context(span, context))


def _open_in(context: Context) -> tuple[AgentSpan, ...]:
    opened: tuple[AgentSpan, ...] = get_value(_OPEN, context) or ()  # type: ignore[assignment] # nobody else has this key
    return opened
