"""A tracing pipeline in memory for the tests that need no process of their own."""

from __future__ import annotations

import contextvars

import pytest
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tracium import faults, notices
from tracium.signals import TenantSpanProcessor, tenant_span_processor


class Pipeline:
    """A provider of the SDK with our processor, and what it exported."""

    def __init__(self, processor, **options):
        self.memory = InMemorySpanExporter()
        self.processor = processor
        self.provider = TracerProvider(shutdown_on_exit=False, **options)
        self.provider.add_span_processor(processor)
        self.provider.add_span_processor(SimpleSpanProcessor(self.memory))
        self.tracer = self.provider.get_tracer("test")

    def tenants(self):
        """The tenant of each finished span, by name; names are unique in a test."""
        return {span.name: span.attributes.get("tenant.id") for span in self.memory.get_finished_spans()}

    def span(self, name):
        (found,) = [span for span in self.memory.get_finished_spans() if span.name == name]
        return found


@pytest.fixture(autouse=True)
def _clean_context():
    """Every test begins without tenant and notices, and a fault of ours is a failure."""
    notices.reset()
    token = attach(Context())
    with faults.raising():
        yield
    try:
        detach(token)
    except ValueError:
        contextvars.copy_context()


@pytest.fixture(params=["direct", "public"])
def way(request):
    """Both ways to mark spans keep the same rules."""
    return request.param


@pytest.fixture
def make_pipeline(way):
    def make(default=None, **options):
        processor = tenant_span_processor(default) if way == "direct" else TenantSpanProcessor(default)
        return Pipeline(processor, **options)

    return make


@pytest.fixture
def pipeline(make_pipeline):
    return make_pipeline()
