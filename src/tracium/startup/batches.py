"""The queue of our spans: the SDK's, whose end takes no longer than it may, and which a forked child has for its own."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tracium.forks import in_children

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.sdk.trace import ReadableSpan, Span

    from tracium.startup.exporter import TraciumSpanExporter

_NOTHING: Final = Context()
# Spans in one request: the SDK's own default.
_AT_ONCE: Final = 512


class BoundedBatchSpanProcessor(BatchSpanProcessor):
    """The SDK's batch processor, whose shutdown waits no longer than it is told.

    Its thread serves everybody, so it begins with nothing. A forked child exports the spans that began there; those that
    were open in its parent are the parent's.

    Attributes:
        timeout: Seconds that a shutdown may take.
        exporter: Where the batches go.
    """

    def __init__(self, exporter: TraciumSpanExporter, timeout: float) -> None:
        self.timeout = timeout
        self.exporter = exporter
        self._birth: _Birth | None = None
        self._token: Token[Context] | None = None
        # The SDK's own hook, which makes a new thread in the child, comes between these two.
        in_children(self._enter_nothing)
        self._enter_nothing()
        try:
            super().__init__(exporter)
        finally:
            self._leave_nothing()
        in_children(self._begin_anew)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """In a child, know a span that begins there although its start lies before."""
        super().on_start(span, parent_context)
        if self._birth is not None:
            self._birth.began(span)

    def on_end(self, span: ReadableSpan) -> None:
        """Take the span, unless it is another process's."""
        if self._birth is None or self._birth.ended(span):
            super().on_end(span)

    def drain(self) -> None:
        """Send what is left from this thread, without a lock that a thread which was interrupted by a signal may hold."""
        self.exporter.close_soon()
        batches: Any = getattr(self, "_batch_processor", None)
        waiting: Any = getattr(batches, "_queue", None)
        if waiting is None:
            self.shutdown()
            return
        while waiting:
            batch: list[ReadableSpan] = []
            # The SDK's thread may take spans at the same time; each is taken once.
            with suppress(IndexError):
                while len(batch) < _AT_ONCE:
                    batch.append(waiting.pop())
            if batch:
                with suppress_instrumentation():
                    self.exporter.export(batch)
        self.exporter.finish(self.timeout)

    def shutdown(self) -> None:
        """Send what is left, within the timeout."""
        self.exporter.close_soon()
        # The SDK's own shutdown waits for 30 seconds; the one that takes a time is behind it.
        batches: Any = getattr(self, "_batch_processor", None)
        if batches is None:
            super().shutdown()  # type: ignore[no-untyped-call] # the SDK's
            return
        batches.shutdown(timeout_millis=int(self.timeout * 1000))

    def _enter_nothing(self) -> None:
        self._token = attach(_NOTHING)

    def _leave_nothing(self) -> None:
        token, self._token = self._token, None
        if token is not None:
            detach(token)

    def _begin_anew(self) -> None:
        self._leave_nothing()
        self._birth = _Birth()
        self.exporter.begin_anew()


class _Birth:
    """When a forked process began, and so which spans are its own."""

    __slots__ = ("_at", "_earlier")

    def __init__(self) -> None:
        self._at = time.time_ns()
        # Spans that began here and were given a start from before.
        self._earlier: set[int] = set()

    def began(self, span: Span) -> None:
        if span.start_time is not None and span.start_time < self._at and span.context is not None:
            self._earlier.add(span.context.span_id)

    def ended(self, span: ReadableSpan) -> bool:
        """Note that a span has ended; tell whether it began here."""
        if span.start_time is None or span.start_time >= self._at or span.context is None:
            return True
        if span.context.span_id not in self._earlier:
            return False
        self._earlier.discard(span.context.span_id)
        return True
