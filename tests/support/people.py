"""What tests of users and sessions share."""

from __future__ import annotations

import contextlib

from opentelemetry.context import attach, detach, get_current
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import tracium
from tracium.boundary.propagation import TenantPropagator

propagator = TenantPropagator(CompositePropagator([TraceContextTextMapPropagator()]))


class Kind:
    """One of the two, with the names of its own."""

    def __init__(self, name):
        self.name, self.attribute = name, f"{name}.id"
        self.scope, self.set = getattr(tracium, name), getattr(tracium, f"set_{name}")
        self.current = getattr(tracium, f"get_current_{name}")

    def of(self, spans):
        """The ids of spans by their names."""
        return {span.name: span.attributes.get(self.attribute) or None for span in spans.spans}


@contextlib.contextmanager
def request_of(tracer, name="request", *, extracts=True):
    """One request as a server instrumentation makes it."""
    token = attach(propagator.extract({}) if extracts else get_current())
    with tracer.start_as_current_span(name, kind=SpanKind.SERVER) as span:
        yield span
    detach(token)


def child(pipeline, name, **options):
    pipeline.tracer.start_span(name, **options).end()
