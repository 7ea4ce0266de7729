"""A pipeline with sampling in front of its exporter, whose trace ids the test chooses."""

from __future__ import annotations

from opentelemetry.context import attach, detach, get_current
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from tracium.boundary.propagation import TenantPropagator
from tracium.signals import tenant_span_processor
from tracium.signals.sampling import SampleRates, TenantSampling

propagator = TenantPropagator(CompositePropagator([]))

HALVES = SampleRates({"free-*": 0.5, "none-*": 0.0, "*": 1.0})
# Trace ids whose random bits are above or below a half.
HIGH = 0xABCD_0000_0000_0000_00FF_0000_0000_0000
LOW = 0xABCD_0000_0000_0000_000F_0000_0000_0000


class ChosenIds(RandomIdGenerator):
    """Trace ids that the test chooses."""

    def __init__(self):
        self.high = True
        self.count = 0

    def generate_trace_id(self):
        self.count += 1
        return (HIGH if self.high else LOW) + self.count


class Noting(SpanProcessor):
    """Notes how it is called."""

    def __init__(self):
        self.calls = []

    def on_start(self, span, parent_context=None):
        self.calls.append("start")

    def on_end(self, span):
        self.calls.append(span.name)

    def shutdown(self):
        self.calls.append("shutdown")

    def force_flush(self, timeout_millis=30000):
        self.calls.append(timeout_millis)
        return False


class Sampled:
    """A pipeline with sampling in front of its exporter."""

    def __init__(self, rates=HALVES, *, sampler=None, default=None, inner=None, **options):
        self.ids = ChosenIds()
        self.memory = InMemorySpanExporter()
        self.sampling = TenantSampling(inner or SimpleSpanProcessor(self.memory), rates, default=default, **options)
        self.provider = TracerProvider(sampler=sampler, id_generator=self.ids, shutdown_on_exit=False)
        self.provider.add_span_processor(tenant_span_processor(default))
        self.provider.add_span_processor(self.sampling)
        self.tracer = self.provider.get_tracer("tests")

    @property
    def spans(self):
        return self.memory.get_finished_spans()

    @property
    def names(self):
        return [span.name for span in self.spans]

    def request(self, context=None, *, low=False):
        return Request(self, context, low=low)

    def call(self, name="chat gpt", operation="chat", tokens=7, **attributes):
        """A model call with content."""
        span = self.tracer.start_span(
            name,
            kind=SpanKind.CLIENT,
            attributes={
                "gen_ai.operation.name": operation,
                "gen_ai.usage.input_tokens": tokens,
                "gen_ai.input.messages": "secret",
                **attributes,
            },
            links=[Link(SpanContext(1, 2, is_remote=False))],
        )
        span.add_event("gen_ai.choice", {"message": "secret"})
        span.end()
        return span

    def work(self, name="work", error=False):
        span = self.tracer.start_span(name)
        if error:
            span.set_status(Status(StatusCode.ERROR, "secret"))
        span.end()


class Request:
    """A request as a server's instrumentation makes it, open as long as the block runs."""

    def __init__(self, pipeline, context, *, low):
        self.pipeline, self.context, self.low = pipeline, context, low

    def __enter__(self):
        self.pipeline.ids.high = not self.low
        self.token = attach(propagator.extract({}, self.context))
        self.block = self.pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER)
        self.span = self.block.__enter__()
        return self.span

    def __exit__(self, *error):
        self.block.__exit__(*error)
        try:
            detach(self.token)
        except ValueError:
            attach(get_current())


def arriving(trace_id=HIGH, state=None, sampled=True):
    """The context of a request that another service sends."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else 0)
    parent = SpanContext(trace_id, 9, is_remote=True, trace_flags=flags, trace_state=TraceState(state or []))
    return set_span_in_context(NonRecordingSpan(parent))


def states(spans):
    return {span.context.trace_state.to_header() for span in spans}
