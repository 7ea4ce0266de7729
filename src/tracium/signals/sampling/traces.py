"""The traces of this process: what is open, what waits, what was decided. Only one thread at a time may work on them."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from tracium.attributes import TENANT_ID
from tracium.signals.sampling.local_trace import Began, LocalTrace
from tracium.signals.sampling.threshold import entry_in, randomness_of
from tracium.signals.sampling.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import SpanContext

    from tracium.signals.sampling.rates import SampleRates


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait. Where a bound is reached, traces are decided before their time; that is said once, and counted.

    Attributes:
        spans: Spans that wait, of all traces.
        spans_per_trace: Spans of one trace that wait.
        traces: Traces with open spans, and as many that are remembered after their end.
        seconds: How long a span waits; what is older is decided when anything else happens.

    Raises:
        ValueError: One of them is too small for a single span.
    """

    spans: int = 4096
    spans_per_trace: int = 512
    traces: int = 4096
    seconds: float = 300.0

    def __post_init__(self) -> None:
        for name in ("spans", "spans_per_trace", "traces"):
            if getattr(self, name) < 1:
                raise ValueError(f"The bound {name} is {getattr(self, name)}, but it must be at least 1.")
        if not self.seconds >= 0:
            raise ValueError(f"The bound seconds is {self.seconds}, but it must be a number of seconds from 0 on.")


class Released:
    """What an event has set free.

    Attributes:
        spans: Spans in order, with what was decided about them; None: nothing, they go on as they are.
        bounds: Names of bounds that were reached.
        errors: Faults of ours.
    """

    __slots__ = ("bounds", "errors", "spans")

    def __init__(self) -> None:
        self.spans: list[tuple[Verdict | None, ReadableSpan]] = []
        self.bounds: tuple[str, ...] = ()
        self.errors: tuple[Exception, ...] = ()

    def reach(self, bound: str) -> None:
        """Note that a bound was reached."""
        self.bounds = (*self.bounds, bound)

    def fail(self, event: object, error: Exception) -> None:
        """Note that `event` led to a fault of ours; a span is not lost to it."""
        self.errors = (*self.errors, error)
        if isinstance(event, ReadableSpan):
            self.spans.append((None, event))


class LocalTraces:
    """The traces of this process, and the rule of their sampling.

    Attributes:
        rates: Shares by tenant.
        keep_errors: Whether traces with an error are exported whatever their share.
        default: The configured default tenant, which may be replaced by one that is set.
        open: Traces with open roots, by their id, the oldest first.
        past: What was decided about traces before, by their id.
    """

    def __init__(self, rates: SampleRates, bounds: Bounds, *, keep_errors: bool, default: str | None) -> None:
        self.rates = rates
        self.keep_errors = keep_errors
        self.default = default
        self.open: OrderedDict[int, LocalTrace] = OrderedDict()
        self.past: OrderedDict[int, Verdict] = OrderedDict()
        self._bounds = bounds
        self._waiting: OrderedDict[int, LocalTrace] = OrderedDict()
        self._held = 0

    @property
    def held(self) -> int:
        """How many spans wait."""
        return self._held

    def clear(self) -> None:
        """Forget everything."""
        self.open.clear()
        self.past.clear()
        self._waiting.clear()
        self._held = 0

    def begin(self, began: Began, released: Released) -> None:
        """Take note of a span that has begun."""
        if self._waiting:
            self.expire(released)
        trace = self.open.get(began.trace_id)
        if trace is None:
            while len(self.open) >= self._bounds.traces:
                released.reach("traces")
                self._finish(next(iter(self.open.values())), released)
            # What outlives its request follows it, and so does a request that comes later.
            trace = self.open[began.trace_id] = LocalTrace(began, self.past.get(began.trace_id))
            trace.roots.add(began.span_id)
        elif not began.local_parent:
            trace.roots.add(began.span_id)
        if trace.verdict is None:
            trace.joins(began.binding)
            self._learn(trace, began.tenant, released)

    def end(self, span: ReadableSpan, released: Released) -> None:
        """Take a span that has ended: set it free, or let it wait."""
        context: SpanContext = span._context  # type: ignore[assignment] # noqa: SLF001 - the processor has looked
        if self._waiting:
            self.expire(released)
        trace = self.open.get(context.trace_id)
        failed = span.status.status_code is StatusCode.ERROR
        if trace is None:
            self._end_late(span, context, released, failed=failed)
            return
        trace.failed = trace.failed or failed
        if trace.verdict is None:
            self._learn(trace, told_in(span._attributes), released)  # noqa: SLF001
        self._place(trace, span, released)
        trace.roots.discard(context.span_id)
        if not trace.roots:
            self._finish(trace, released)

    def expire(self, released: Released) -> None:
        """Decide what has waited for too long."""
        while self._waiting:
            oldest = next(iter(self._waiting.values()))
            if time.monotonic() - oldest.since < self._bounds.seconds:
                return
            self._give_up(oldest, "seconds", released)

    def finish_all(self, released: Released) -> None:
        """Decide everything."""
        for trace in tuple(self.open.values()):
            self._finish(trace, released)

    def _learn(self, trace: LocalTrace, told: str | None, released: Released) -> None:
        tenant = trace.tenant(told, self.default)
        if tenant is not None:
            self._decide(trace, tenant, released)

    def _decide(self, trace: LocalTrace, tenant: str | None, released: Released) -> Verdict:
        verdict = Verdict(
            self.rates.threshold(tenant),
            trace.randomness,
            whole=trace.whole,
            by_error=self.keep_errors and trace.failed,
        )
        trace.verdict = verdict
        if verdict.kept or not self.keep_errors:
            self._release(trace, verdict, released)
        return verdict

    def _place(self, trace: LocalTrace, span: ReadableSpan, released: Released) -> None:
        """Set `span` free, or let it wait, by what is known of its trace by now."""
        verdict = trace.verdict
        if verdict is not None and not verdict.kept and self.keep_errors and trace.failed:
            verdict = trace.verdict = verdict.in_error()
            self._release(trace, verdict, released)
        if verdict is None or (not verdict.kept and self.keep_errors and not trace.full):
            self._hold(trace, span, released)
        else:
            released.spans.append((verdict, span))

    def _hold(self, trace: LocalTrace, span: ReadableSpan, released: Released) -> None:
        if len(trace.held) >= self._bounds.spans_per_trace:
            self._give_up(trace, "spans_per_trace", released)
        elif self._held >= self._bounds.spans:
            self._give_up(next(iter(self._waiting.values())), "spans", released)
        if trace.full:
            # Decided by now: it may have been itself that had to give up.
            self._place(trace, span, released)
            return
        if not trace.held:
            trace.since = time.monotonic()
            self._waiting[trace.trace_id] = trace
        trace.held.append(span)
        self._held += 1

    def _give_up(self, trace: LocalTrace, bound: str, released: Released) -> None:
        """Let a trace hold nothing any more, and decide it if it is not."""
        released.reach(bound)
        trace.full = True
        verdict = trace.verdict or self._decide(trace, trace.last_resort(), released)
        self._release(trace, verdict, released)

    def _release(self, trace: LocalTrace, verdict: Verdict, released: Released) -> None:
        if trace.held:
            del self._waiting[trace.trace_id]
            held = trace.take_held()
            self._held -= len(held)
            released.spans.extend((verdict, span) for span in held)

    def _finish(self, trace: LocalTrace, released: Released) -> None:
        del self.open[trace.trace_id]
        verdict = trace.verdict or self._decide(trace, trace.last_resort(), released)
        self._release(trace, verdict, released)
        self._remember(trace.trace_id, verdict)

    def _remember(self, trace_id: int, verdict: Verdict) -> None:
        self.past[trace_id] = verdict
        self.past.move_to_end(trace_id)
        if len(self.past) > self._bounds.traces:
            self.past.popitem(last=False)

    def _end_late(self, span: ReadableSpan, context: SpanContext, released: Released, *, failed: bool) -> None:
        """A span that outlives its trace here, or whose beginning was not seen."""
        verdict = self.past.get(context.trace_id)
        if verdict is None:
            randomness = randomness_of(context.trace_id, entry_in(context.trace_state))
            tenant = told_in(span._attributes)  # noqa: SLF001
            verdict = Verdict(self.rates.threshold(tenant), randomness, whole=False)
        if failed and self.keep_errors and not verdict.kept:
            verdict = verdict.in_error()
        self._remember(context.trace_id, verdict)
        released.spans.append((verdict, span))


def told_in(values: Mapping[str, object] | None) -> str | None:
    """The tenant that a span with these attributes has, as yet."""
    tenant = values.get(TENANT_ID) if values else None
    # An empty value takes a tenant away where attributes cannot be removed.
    return tenant if isinstance(tenant, str) and tenant else None
