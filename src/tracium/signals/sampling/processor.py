"""Which spans are exported, by their tenant: a span processor that stands in front of the one that exports."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import SpanKind

from tracium import notices
from tracium.faults import contained, fault
from tracium.forks import in_children
from tracium.signals.sampling.local_trace import Began
from tracium.signals.sampling.threshold import entry_in, randomness_of
from tracium.signals.sampling.traces import Bounds, LocalTraces, Released, told_in
from tracium.signals.sampling.upstream import keeps_all, say_weight_unknown
from tracium.tenancy.request import PLACE

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span
    from opentelemetry.trace import SpanContext

    from tracium.signals.sampling.rates import SampleRates
    from tracium.signals.sampling.verdict import Verdict
    from tracium.tenancy.request import Place

_SAMPLED: Final = 1
# Seconds that whoever ends or flushes waits for a thread that decides; that takes microseconds.
_PATIENCE: Final = 1.0
_REASONS: Final = {
    "spans": "too many spans waited",
    "spans_per_trace": "too many of its spans waited",
    "traces": "too many traces were open",
    "seconds": "its spans had waited for too long",
}


class TenantSampling(SpanProcessor):
    """Passes on the spans of traces that are kept, by the share of their tenant, and the usage of all others.

    A trace gets one decision in this process, by the first tenant that is known for it; until then its spans wait. What is
    kept says its weight in the trace state (`ot=th:…`). Of a trace that is not, the model calls are passed on, reduced to
    what accounting needs and marked `tracium.sampled_out=true`. The SDK's sampler was asked before: what it drops does
    not come here.

    Attributes:
        tenant_attributes: Names besides `tenant.id` under which the tenant is written: reduced model calls keep them.
    """

    def __init__(  # noqa: PLR0913 - each is a word of its own, by name
        self,
        inner: SpanProcessor,
        rates: SampleRates,
        *,
        keep_errors: bool = False,
        default: str | None = None,
        tenant_attributes: tuple[str, ...] = (),
        bounds: Bounds | None = None,
    ) -> None:
        """Stand in front of `inner`.

        Args:
            inner: What exports. It is called in the thread that ends a span, and never under a lock.
            rates: Shares by tenant.
            keep_errors: Whether traces with an error are exported whatever their share. What is not kept then waits for
                its trace's end.
            default: The tenant of spans that have none: it decides only where no other is set.
            tenant_attributes: As above.
            bounds: How much may wait.
        """
        self._inner = inner
        self._traces = LocalTraces(rates, bounds or Bounds(), keep_errors=keep_errors, default=default)
        self._open = self._traces.open
        self.tenant_attributes = tenant_attributes
        # The sampler that was asked last, and whether it keeps all that begins here, and all that others sampled.
        self._sampler: object = None
        self._whole = (False, False)
        # What happens is put here and worked off by whoever gets the lock, so that nobody waits: a span may end anywhere,
        # also where an object dies while this very thread has the lock.
        self._events: deque[Began | ReadableSpan] = deque()
        self._lock = threading.Lock()
        in_children(self._begin_anew)
        # The SDK's own; nothing is to be done there.
        self._on_ending = inner._on_ending  # type: ignore[method-assign] # noqa: SLF001

    def update(self, rates: SampleRates, *, keep_errors: bool, default: str | None) -> None:
        """Decide by these from now on."""
        traces = self._traces
        traces.rates, traces.keep_errors, traces.default = rates, keep_errors, default

    @property
    def held(self) -> int:
        """How many spans wait."""
        return self._traces.held

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Look whether the tenant of the span's trace is known; this runs inside the customer's request."""
        self._inner.on_start(span, parent_context)
        try:
            context, parent = span._context, span._parent  # noqa: SLF001 - the properties cost as much as the rest
            if context is None or not context.trace_flags & _SAMPLED:
                return
            trace = self._open.get(context.trace_id)
            local = parent is not None and not parent.is_remote
            if local and trace is not None and (trace.verdict is not None or not (trace.held or _is_request(span))):
                # What ends will tell; only what waits makes it worth a look now.
                return
            self._events.append(self._began(span, context, parent))
            self._work()
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            fault("sampling a trace", error)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass the span on, keep it waiting, or drop it."""
        context = span._context  # noqa: SLF001 - as above
        if context is None or not context.trace_flags & _SAMPLED:
            self._inner.on_end(span)
            return
        trace = self._open.get(context.trace_id)
        verdict = None if trace is None or context.span_id in trace.roots else trace.verdict
        if verdict is not None and (verdict.kept or not self._traces.keep_errors):
            self._pass_on(verdict, span)
            return
        self._events.append(span)
        self._work()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Pass on what is decided and flush it; requests that are open and have no tenant yet go on waiting for theirs."""
        self._settle(self._traces.expire, last=False)
        return self._inner.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Decide everything, and end."""
        self._settle(self._traces.finish_all, last=True)
        self._inner.shutdown()

    def drain(self) -> None:
        """Decide everything and send it from this thread, while the main thread may stand anywhere."""
        self._settle(self._traces.finish_all, last=True)
        drain: Callable[[], object] = getattr(self._inner, "drain", self._inner.shutdown)
        drain()

    def _begin_anew(self) -> None:
        """What waits in the parent of a forked process is the parent's."""
        self._lock = threading.Lock()
        self._events.clear()
        self._traces.clear()

    def _began(self, span: Span, context: SpanContext, parent: SpanContext | None) -> Began:
        sampler = span._sampler  # noqa: SLF001 - there is no other way to it
        if sampler is not self._sampler:
            self._sampler = sampler
            self._whole = (keeps_all(sampler, remote=False), keeps_all(sampler, remote=True))
        remote = parent is not None and parent.is_remote
        whole = self._whole[remote]
        state = context.trace_state
        entry = entry_in(state) if state else None
        if not whole and (entry is None or entry.threshold is None):
            say_weight_unknown(sampler)
        place: Place | None = getattr(span, PLACE, None)
        values: Any = span._attributes  # noqa: SLF001 - the view that the property makes is not needed
        return Began(
            context.trace_id,
            context.span_id,
            parent is not None and not remote,
            randomness_of(context.trace_id, entry),
            whole,
            None if place is None else place.binding,
            told_in(values),
        )

    def _work(self) -> None:
        """Work off what has happened, unless another thread does: then it does this too."""
        while self._events and self._lock.acquire(blocking=False):
            released = Released()
            try:
                self._take_in(released)
            finally:
                self._lock.release()
            self._give_out(released)

    def _settle(self, action: Callable[[Released], None], *, last: bool) -> None:
        """Work off what has happened, and decide more.

        Args:
            action: Decides.
            last: Whether the process ends: then a thread that does not give the lock back was interrupted for good.
        """
        ours = self._lock.acquire(timeout=_PATIENCE)
        released = Released()
        try:
            if ours or last:
                self._take_in(released)
                with contained("sampling traces"):
                    action(released)
        finally:
            if ours:
                self._lock.release()
        self._give_out(released)
        self._work()

    def _take_in(self, released: Released) -> None:
        # Only who has the lock takes anything away.
        while self._events:
            event = self._events.popleft()
            try:
                if isinstance(event, Began):
                    self._traces.begin(event, released)
                else:
                    self._traces.end(event, released)
            except Exception as error:  # noqa: BLE001 - recording never breaks the app
                released.fail(event, error)

    def _give_out(self, released: Released) -> None:
        for verdict, span in released.spans:
            self._pass_on(verdict, span)
        if released.bounds or released.errors:
            for bound in released.bounds:
                _say_bound(bound)
            for error in released.errors:
                fault("sampling a trace", error)

    def _pass_on(self, verdict: Verdict | None, span: ReadableSpan) -> None:
        passed: ReadableSpan | None = span
        try:
            if verdict is not None:
                passed = verdict.weighed(span) if verdict.kept else verdict.remainder(span, self.tenant_attributes)
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            fault("sampling a span", error)
        if passed is not None:
            self._inner.on_end(passed)


def _is_request(span: Span) -> bool:
    kind = span.kind
    return kind is SpanKind.SERVER or kind is SpanKind.CONSUMER


def _say_bound(bound: str) -> None:
    notices.say(
        f"sampling:{bound}",
        logging.WARNING,
        f"A trace was sampled before its end, because {_REASONS[bound]}. If its tenant was not known yet, the share of '*' "
        "was applied; if it was sampled out, an error that comes later brings back only what comes after it. Set the tenant "
        "early in a request, and end every span.",
    )
