"""What sampling by tenant costs: CPU time of requests with five spans each, as a ratio to the same without it.

All variants run in one process, interleaved; the figure is the median over the rounds of the ratio within a round. Twice:
the CPU time of the thread that serves, and that of the whole process with the spans encoded as OTLP, which is saved where
a span is not exported.
"""

from __future__ import annotations

import gc
import statistics
import time
from operator import truediv

from opentelemetry.context import attach, detach
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

import tracium
from tracium.boundary.propagation import TenantPropagator
from tracium.signals import tenant_span_processor
from tracium.signals.sampling import SampleRates, TenantSampling

ROUNDS = 200
REQUESTS = 40
SPANS = 5

propagator = TenantPropagator(CompositePropagator([]))


class Nowhere(SpanExporter):
    """Encodes spans and sends them nowhere."""

    def export(self, spans):
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS

    def shutdown(self):
        pass


def provider_with(share=None, **options):
    # Nothing is exported before it is asked for, so that one variant's spans are not encoded while another is measured.
    batch = BatchSpanProcessor(
        Nowhere(), max_queue_size=65536, max_export_batch_size=8192, schedule_delay_millis=3_600_000
    )
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(tenant_span_processor())
    provider.add_span_processor(
        batch if share is None else TenantSampling(batch, SampleRates({"other-*": 0.5, "*": share}), **options)
    )
    return provider


def serve(tracer, early):
    """One request, whose tenant is known from the beginning, or after its first span below."""
    token = attach(propagator.extract({}))
    with tracer.start_as_current_span("request", kind=SpanKind.SERVER):
        if early:
            tracium.set_tenant("acme")
        tracer.start_span("look up the user").end()
        if not early:
            tracium.set_tenant("acme")
        for _ in range(SPANS - 1):
            tracer.start_span("work").end()
    detach(token)


def measured(provider, early):
    """CPU seconds for one request: of this thread, and of the process with the export."""
    tracer = provider.get_tracer("benchmark")
    whole, begun = time.process_time(), time.thread_time()
    for _ in range(REQUESTS):
        serve(tracer, early)
    served = time.thread_time() - begun
    provider.force_flush()
    return served / REQUESTS, (time.process_time() - whole) / REQUESTS


def compare(title, providers, *, early):
    rounds = {name: [] for name in providers}
    gc.collect()
    gc.disable()
    for _ in range(ROUNDS):
        for name, provider in providers.items():
            rounds[name].append(measured(provider, early))
        gc.collect(0)
    gc.enable()
    print(f"\n{title} ({ROUNDS} rounds of {REQUESTS} requests with {SPANS} spans below)")
    print(f"  {'':30} {'thread that serves':>20} {'process':>20}")
    plain = list(zip(*rounds["no sample"], strict=True))
    for name, figures in rounds.items():
        columns = [
            f"{statistics.median(mine) * 1e6:8.1f} µs {statistics.median(map(truediv, mine, base)):8.3f}"
            for mine, base in zip(zip(*figures, strict=True), plain, strict=True)
        ]
        print(f"  {name:30} {columns[0]} {columns[1]}")


def main():
    providers = {
        "no sample": provider_with(),
        "all kept": provider_with(1.0),
        "a half kept": provider_with(0.5),
        "a tenth kept": provider_with(0.1),
        "none kept": provider_with(0.0),
        "none kept, errors asked for": provider_with(0.0, keep_errors=True),
    }
    compare("The tenant is set first", providers, early=True)
    compare("The tenant is set after a span", providers, early=False)


if __name__ == "__main__":
    main()
