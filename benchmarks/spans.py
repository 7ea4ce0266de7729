"""What a span costs: start and end, CPU time, as a ratio to the plain SDK with a batch processor.

All variants run in one process, interleaved; the figure is the median over the rounds of the ratio within a round.
"""

from __future__ import annotations

import gc
import statistics
import time

from opentelemetry.context import attach, detach
from opentelemetry.processor.baggage import ALLOW_ALL_BAGGAGE_KEYS, BaggageSpanProcessor
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

import tracium
from tracium.boundary.propagation import TenantPropagator
from tracium.signals import TenantSpanProcessor, tenant_span_processor
from tracium.signals.genai import GenAISpanProcessor

ROUNDS = 300
SPANS = 250


class Nowhere(SpanExporter):
    """Takes spans and forgets them."""

    def export(self, spans):  # noqa: ARG002 - the interface's
        return SpanExportResult.SUCCESS

    def shutdown(self):
        pass


class Empty(SpanProcessor):
    """Does nothing: what any processor costs."""


def tracer_with(*processors):
    provider = TracerProvider(shutdown_on_exit=False)
    for processor in (*processors, BatchSpanProcessor(Nowhere(), schedule_delay_millis=50)):
        provider.add_span_processor(processor)
    return provider.get_tracer("benchmark")


def measured(tracer):
    """CPU seconds of this thread for one span's start and end."""
    begun = time.thread_time()
    for _ in range(SPANS):
        tracer.start_span("work").end()
    return (time.thread_time() - begun) / SPANS


def compare(title, tracers, around):
    rounds = {name: [] for name in tracers}
    gc.collect()
    gc.disable()
    for _ in range(ROUNDS):
        for name, tracer in tracers.items():
            with around(tracer):
                rounds[name].append(measured(tracer))
        gc.collect(0)
    gc.enable()
    plain = rounds["SDK + batch"]
    print(f"\n{title} ({ROUNDS} rounds of {SPANS} spans)")
    for name, seconds in rounds.items():
        ratios = [mine / base for mine, base in zip(seconds, plain, strict=True)]
        print(f"  {name:34} {statistics.median(seconds) * 1e6:7.2f} µs   {statistics.median(ratios):5.3f}")


class InScope:
    """A tenant is set around the spans."""

    def __init__(self, _tracer):
        self.scope = tracium.tenant("acme")

    def __enter__(self):
        self.scope.__enter__()

    def __exit__(self, *error):
        self.scope.__exit__(*error)


class InRequest:
    """The spans run in a request that has its tenant, below its server span."""

    propagator = TenantPropagator(__import__("opentelemetry.propagate").propagate.get_global_textmap())

    def __init__(self, tracer):
        self.tracer = tracer

    def __enter__(self):
        self.token = attach(self.propagator.extract({}))
        self.span = self.tracer.start_as_current_span("request", kind=SpanKind.SERVER)
        self.span.__enter__()
        tracium.set_tenant("acme")

    def __exit__(self, *error):
        self.span.__exit__(*error)
        detach(self.token)


class BelowAnother(InRequest):
    """And below a span that started after the tenant was set."""

    def __enter__(self):
        super().__enter__()
        self.above = self.tracer.start_as_current_span("above")
        self.above.__enter__()

    def __exit__(self, *error):
        self.above.__exit__(*error)
        super().__exit__(*error)


class OfAUser(InRequest):
    """And the request has a user and a session."""

    def __enter__(self):
        super().__enter__()
        tracium.set_user("u-1")
        tracium.set_session("s-1")


def main():
    tracers = {
        "SDK + batch": tracer_with(),
        "+ an empty processor": tracer_with(Empty()),
        "+ the tenant": tracer_with(tenant_span_processor()),
        "+ the tenant and model calls": tracer_with(tenant_span_processor(), GenAISpanProcessor()),
        "+ the tenant under 2 more names": tracer_with(tenant_span_processor(aliases=("app.customer", "org"))),
        "+ the tenant, public fall-back": tracer_with(TenantSpanProcessor()),
        "+ contrib's BaggageSpanProcessor": tracer_with(BaggageSpanProcessor(ALLOW_ALL_BAGGAGE_KEYS)),
    }
    compare("A span in the scope of a tenant", tracers, InScope)
    compare("A span in a request with a tenant", tracers, InRequest)
    compare("A span below another one there", tracers, BelowAnother)
    compare("A span in a request with a tenant, a user and a session", tracers, OfAUser)


if __name__ == "__main__":
    main()
