"""How the apps are traced: by tracium, or by OpenTelemetry without it, with the same spans. WIRING says which.

`plain` is the SDK, wired by hand, and its spans have no tenant; `baggage` is what puts one on those that start later, with
OpenTelemetry's own means; `distro` makes what `opentelemetry-instrument` makes: meters and loggers too.
"""

import os
from importlib import metadata

from opentelemetry import trace

WIRING = os.environ.get("WIRING", "tracium")
READY_MADE = os.environ.get("MIDDLEWARE") == "ready-made"

if WIRING == "tracium":
    from tracium import get_current_tenant, set_tenant
elif WIRING == "baggage":
    from opentelemetry import baggage, context

    def set_tenant(tenant):
        """By hand: it is never detached, and the server span has none."""
        context.attach(baggage.set_baggage("tenant.id", tenant) if tenant else baggage.remove_baggage("tenant.id"))

    def get_current_tenant():
        """What the context says."""
        return baggage.get_baggage("tenant.id")
else:

    def set_tenant(_tenant):
        """As if there were no tenants."""

    def get_current_tenant():
        """As if there were no tenants."""


tracer = trace.get_tracer("app")


def begin(instrumentor=None):
    """Trace what the process does; `instrumentor` makes the server spans, unless the framework does."""
    if WIRING == "tracium":
        import tracium

        tracium.trace()
    else:
        _wire_distro() if WIRING == "distro" else _wire_plain()
        if instrumentor is not None:
            _instrument(instrumentor)
    if "COUNTS" in os.environ:
        from counts import Counting

        trace.get_tracer_provider().add_span_processor(Counting(os.environ["COUNTS"]))


def work(name, request):
    """A span of the app's own, which says for which request it is."""
    return tracer.start_as_current_span(name, attributes={"request.id": request})


def _wire_plain():
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    if WIRING == "baggage":
        from opentelemetry.processor.baggage import ALLOW_ALL_BAGGAGE_KEYS, BaggageSpanProcessor

        provider.add_span_processor(BaggageSpanProcessor(ALLOW_ALL_BAGGAGE_KEYS))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def _wire_distro():
    from opentelemetry.sdk._configuration import _initialize_components

    _initialize_components(trace_exporter_names=["otlp_proto_http"])


def _instrument(name):
    (found,) = metadata.entry_points(group="opentelemetry_instrumentor", name=name)
    found.load()().instrument()
