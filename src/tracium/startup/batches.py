"""The queues of our spans and log records: the SDK's, whose end takes no longer than it may, and which a forked child has for its own."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tracium.forks import in_children
from tracium.startup.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token

    from opentelemetry.sdk.trace import ReadableSpan, Span

    from tracium.signals.sampling import SampleRates, TenantSampling
    from tracium.startup.exporter import TraciumLogExporter, TraciumSpanExporter

_NOTHING: Final = Context()
# Spans or records in one request: the SDK's own default.
_AT_ONCE: Final = 512


class Bounded:
    """Makes a batch processor of the SDK one whose shutdown waits no longer than it is told.

    Its thread serves everybody, so it begins with nothing. It stands before the SDK's class among the bases.

    Attributes:
        timeout: Seconds that a shutdown may take.
        exporter: Where the batches go.
    """

    exporter: Any

    def __init__(self, exporter: Any, timeout: float) -> None:
        """Export by `exporter`."""
        self.timeout = timeout
        self.exporter = exporter
        self._token: Token[Context] | None = None
        self._ended = False
        # The SDK's own hook, which makes a new thread in the child, comes between these two.
        in_children(self._enter_nothing)
        self._enter_nothing()
        try:
            super().__init__(exporter)  # type: ignore[call-arg] # the SDK's class
        finally:
            self._leave_nothing()
        in_children(self._begin_anew)

    def drain(self) -> None:
        """Send what is left from this thread, without a lock that a thread which was interrupted by a signal may hold."""
        self.exporter.close_soon()
        waiting = self._queue
        while waiting:
            batch: list[Any] = []
            # The SDK's thread may take some at the same time; each is taken once.
            with suppress(IndexError):
                while len(batch) < _AT_ONCE:
                    batch.append(waiting.pop())
            if batch:
                with suppress_instrumentation():
                    self.exporter.export(batch)
        self.exporter.finish(self.timeout)

    def give_up(self) -> None:
        """Count as lost what has not been sent: the process waits no longer."""
        self.exporter.give_up(len(self._queue))

    def close(self) -> None:
        """Take no more, and let the SDK's thread send what there is; `shutdown` waits for it."""
        self.exporter.close_soon()
        # The first half of the SDK's own shutdown, which has it only together with the second one.
        self._batches._shutdown = True  # noqa: SLF001
        self._batches._worker_awaken.set()  # noqa: SLF001

    def shutdown(self, deadline: Deadline | None = None) -> None:
        """Send what is left, within the timeout or until the deadline."""
        deadline = deadline or Deadline(self.timeout)
        self.close()
        if self._ended:
            return
        self._ended = True
        self._worker.join(deadline.left)
        # The SDK's thread sends no further batch then.
        self._batches._shutdown_timeout_exceeded = True  # noqa: SLF001
        self.exporter.end(len(self._queue))

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Send what there is so far; at the end the SDK's thread does, and is waited for."""
        if self._batches._shutdown:  # noqa: SLF001
            self._worker.join(None if timeout_millis is None else timeout_millis / 1000)
            return not self._worker.is_alive()
        # The SDK's, which takes no time to be None.
        given = {} if timeout_millis is None else {"timeout_millis": timeout_millis}
        return bool(super().force_flush(**given))  # type: ignore[misc] # the SDK's class

    @property
    def _batches(self) -> Any:
        return getattr(self, "_batch_processor")  # noqa: B009 - the SDK's

    @property
    def _queue(self) -> Any:
        return self._batches._queue  # noqa: SLF001

    @property
    def _worker(self) -> Any:
        return self._batches._worker_thread  # noqa: SLF001

    def _enter_nothing(self) -> None:
        self._token = attach(_NOTHING)

    def _leave_nothing(self) -> None:
        token, self._token = self._token, None
        if token is not None:
            detach(token)

    def _begin_anew(self) -> None:
        self._leave_nothing()
        self.exporter.begin_anew()


class BoundedBatchSpanProcessor(Bounded, BatchSpanProcessor):
    """The queue of spans.

    A forked child exports the spans that began there; those that were open in its parent are the parent's.

    Attributes:
        sampling: What decides which spans come into the queue; None if all do.
    """

    exporter: TraciumSpanExporter

    def __init__(self, exporter: TraciumSpanExporter, timeout: float) -> None:
        """Export by `exporter`; a shutdown may take `timeout` seconds."""
        self._birth: _Birth | None = None
        self.sampling: TenantSampling | None = None
        super().__init__(exporter, timeout)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """In a child, know a span that begins there although its start lies before."""
        super().on_start(span, parent_context)
        if self._birth is not None:
            self._birth.began(span)
        if self.sampling is not None:
            self.sampling.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Take the span, unless it is another process's or sampled out."""
        if self._birth is not None and not self._birth.ended(span):
            return
        if self.sampling is None:
            super().on_end(span)
        else:
            self.sampling.on_end(span)

    def sample(self, rates: SampleRates, *, keep_errors: bool, default: str | None, names: tuple[str, ...]) -> None:
        """Let the shares of tenants decide from now on which spans are exported.

        Args:
            rates: Shares by tenant.
            keep_errors: As for `TenantSampling`, as the next ones.
            default: As above.
            names: Those besides `tenant.id` under which the tenant is written.
        """
        if self.sampling is None:
            from tracium.signals.sampling import TenantSampling  # noqa: PLC0415 - not for apps that export all

            self.sampling = TenantSampling(_Queue(super().on_end), rates)
        self.sampling.update(rates, keep_errors=keep_errors, default=default)
        self.sampling.tenant_attributes = names

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Send what has ended so far and is decided."""
        if self.sampling is not None:
            self.sampling.force_flush()
        return super().force_flush(timeout_millis)

    def drain(self) -> None:
        """Decide on all that waits, and send it from this thread."""
        if self.sampling is not None:
            self.sampling.drain()
        super().drain()

    def close(self) -> None:
        """Decide on all that waits, and take no more."""
        if self.sampling is not None and not self._batches._shutdown:  # noqa: SLF001 - as above
            self.sampling.shutdown()
        super().close()

    def _begin_anew(self) -> None:
        super()._begin_anew()
        self._birth = _Birth()


class _Queue(SpanProcessor):
    """The end of the queue where sampled spans come in; all else is done by the queue itself."""

    def __init__(self, take: Callable[[ReadableSpan], None]) -> None:
        self._take = take

    def on_end(self, span: ReadableSpan) -> None:
        self._take(span)


class BoundedBatchLogRecordProcessor(Bounded, BatchLogRecordProcessor):
    """The queue of log records. Those that wait in a parent when a child is forked are the parent's."""

    exporter: TraciumLogExporter


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
