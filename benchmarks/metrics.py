"""What a recorded metric costs with the tenant: CPU time, as a ratio to the plain SDK.

All variants run in one process, interleaved; the figure is the median over the rounds of the ratio within a round. The
attributes are those of `gen_ai.client.token.usage`: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/
"""

from __future__ import annotations

import gc
import statistics
import time

from opentelemetry.context import attach, detach
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import tracium
from tracium.boundary.propagation import TenantPropagator
from tracium.signals.metrics import TenantMeterProvider

ROUNDS = 300
RECORDS = 250
LIMIT = 1.5
ATTRIBUTES = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.response.model": "gpt-5-2026-08-01",
    "gen_ai.token.type": "input",
    "server.address": "api.openai.com",
}


def provider():
    return MeterProvider(metric_readers=[InMemoryMetricReader()], shutdown_on_exit=False)


def recorders(kind):
    """The SDK's `add` or `record`, and the same with the tenant."""

    def made(of):
        meter = of.get_meter("benchmark")
        if kind == "counter":
            return meter.create_counter("gen_ai.work").add
        return meter.create_histogram("gen_ai.client.token.usage").record

    return {
        "SDK": made(provider()),
        "+ tracium, name not listed": made(TenantMeterProvider(provider(), names=())),
        "+ tracium": made(TenantMeterProvider(provider())),
    }


def measured(record):
    """CPU seconds of this thread for one measurement."""
    begun = time.thread_time()
    for _ in range(RECORDS):
        record(12, ATTRIBUTES)
    return (time.thread_time() - begun) / RECORDS


def compare(title, kind, around):
    variants = recorders(kind)
    rounds = {name: [] for name in variants}
    gc.collect()
    gc.disable()
    for _ in range(ROUNDS):
        for name, record in variants.items():
            with around():
                rounds[name].append(measured(record))
        gc.collect(0)
    gc.enable()
    print(f"\n{title}, {kind} ({ROUNDS} rounds of {RECORDS} measurements; at most {LIMIT} is wanted)")
    for name, seconds in rounds.items():
        ratios = [mine / base for mine, base in zip(seconds, rounds["SDK"], strict=True)]
        print(f"  {name:34} {statistics.median(seconds) * 1e6:7.2f} µs   {statistics.median(ratios):5.3f}")


class InClearedRequest:
    """A request that has its tenant by its binding alone: the slow path."""

    propagator = TenantPropagator(__import__("opentelemetry.propagate").propagate.get_global_textmap())

    def __enter__(self):
        self.token = attach(self.propagator.extract({}))
        tracium.set_tenant("acme")
        tracium.set_tenant(None)

    def __exit__(self, *error):
        detach(self.token)


def main():
    for kind in ("histogram", "counter"):
        compare("In the scope of a tenant", kind, lambda: tracium.tenant("acme"))
        compare("In a request whose tenant was cleared", kind, InClearedRequest)


if __name__ == "__main__":
    main()
