"""A span of an agent's run, as a block of code: sync and async."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from opentelemetry.trace import Span, SpanKind, format_trace_id, get_tracer, use_span

from tracium.attributes import ERROR_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType

    from opentelemetry.util.types import AttributeValue


class AgentSpan:
    """A block of code as one span. An exception that leaves it is recorded on the span and goes on unchanged."""

    def __init__(self, name: str, attributes: Mapping[str, AttributeValue], kind: SpanKind) -> None:
        self._name = name
        self._attributes = attributes
        self._kind = kind
        self._span: Span | None = None
        self._current: AbstractContextManager[Span] | None = None

    @property
    def id(self) -> str | None:
        """The trace id, 32 hexadecimal digits; None before the block is entered."""
        return None if self._span is None else format_trace_id(self._span.get_span_context().trace_id)

    def __enter__(self) -> Self:
        self._span = get_tracer("tracium").start_span(self._name, kind=self._kind, attributes=self._attributes)
        self._current = use_span(self._span, end_on_exit=True)
        self._current.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        current, self._current = self._current, None
        if current is None or self._span is None:
            return
        if isinstance(error, Exception):
            self._span.set_attribute(ERROR_TYPE, type(error).__qualname__)
        current.__exit__(kind, error, trace)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
