"""OTLP requests with little to write."""

from __future__ import annotations

import os
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MILLISECOND = 1_000_000


def fill(value, python_value):
    """Put a Python value into an AnyValue; a tuple list of pairs is a kvlist."""
    match python_value:
        case None:
            pass
        case bool():
            value.bool_value = python_value
        case int():
            value.int_value = python_value
        case float():
            value.double_value = python_value
        case bytes():
            value.bytes_value = python_value
        case str():
            value.string_value = python_value
        case list():
            value.array_value.SetInParent()
            for one in python_value:
                fill(value.array_value.values.add(), one)
        case dict():
            value.kvlist_value.SetInParent()
            for key, one in python_value.items():
                fill(value.kvlist_value.values.add(key=key).value, one)


def request(*spans, service="shop"):
    """A request with these spans."""
    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    fill(resource_spans.resource.attributes.add(key="service.name").value, service)
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = "tests", "1.0"
    scope_spans.spans.extend(spans)
    return message


def span(tenant=None, *, end=None, milliseconds=10, attributes=(), trace_id=None, span_id=None, parent=b"", **fields):
    """A span that ended now, or at `end` (nanoseconds)."""
    message = (
        ExportTraceServiceRequest()
        .resource_spans.add()
        .scope_spans.add()
        .spans.add(
            trace_id=trace_id or os.urandom(16),
            span_id=span_id or os.urandom(8),
            parent_span_id=parent,
            **{"name": "GET /", "kind": 2, **fields},
        )
    )
    message.end_time_unix_nano = end or time.time_ns()
    message.start_time_unix_nano = message.end_time_unix_nano - milliseconds * MILLISECOND
    for key, value in {**({} if tenant is None else {"tenant.id": tenant}), **dict(attributes)}.items():
        fill(message.attributes.add(key=key).value, value)
    return message


def model_call(tenant=None, *, operation="chat", tokens=(None, None), **options):
    """A model call, below a request."""
    told = zip(("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"), tokens, strict=True)
    attributes = {"gen_ai.operation.name": operation} | {key: value for key, value in told if value is not None}
    return span(tenant, attributes=attributes, **{"name": "chat m", "kind": 3, "parent": os.urandom(8), **options})
