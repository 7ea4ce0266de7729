"""Requests with log records and metrics, with little to write."""

from __future__ import annotations

import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from support.otlp_requests import fill


def attributes(into, values):
    """Put a dict into repeated key-values."""
    for key, value in values.items():
        fill(into.add(key=key).value, value)


def record(tenant=None, *, body="hello", values=(), **fields):
    """A log record of now."""
    message = (
        ExportLogsServiceRequest()
        .resource_logs.add()
        .scope_logs.add()
        .log_records.add(**{"time_unix_nano": time.time_ns(), **fields})
    )
    fill(message.body, body)
    attributes(message.attributes, {**({} if tenant is None else {"tenant.id": tenant}), **dict(values)})
    return message


def log_request(*records, scope=()):
    """A request with these records."""
    message = ExportLogsServiceRequest()
    resource_logs = message.resource_logs.add(schema_url="https://resource")
    attributes(resource_logs.resource.attributes, {"service.name": "shop"})
    scope_logs = resource_logs.scope_logs.add(schema_url="https://scope")
    scope_logs.scope.name, scope_logs.scope.version = "tests", "1.0"
    attributes(scope_logs.scope.attributes, dict(scope))
    scope_logs.log_records.extend(records)
    return message


def metric_request(*metrics, scope=()):
    """A request with these metrics."""
    message = ExportMetricsServiceRequest()
    resource_metrics = message.resource_metrics.add(schema_url="https://resource")
    attributes(resource_metrics.resource.attributes, {"service.name": "shop"})
    scope_metrics = resource_metrics.scope_metrics.add(schema_url="https://scope")
    scope_metrics.scope.name, scope_metrics.scope.version = "tests", "1.0"
    scope_metrics.scope.dropped_attributes_count = 3
    attributes(scope_metrics.scope.attributes, dict(scope))
    scope_metrics.metrics.extend(metrics)
    return message


def metric(name, kind, *, tenant=None, values=(), **fields):
    """A metric of a kind with one point of now; `fields` are the point's."""
    message = (
        ExportMetricsServiceRequest()
        .resource_metrics.add()
        .scope_metrics.add()
        .metrics.add(name=name, unit="1", description="what it is")
    )
    point = getattr(message, kind).data_points.add(**{"time_unix_nano": time.time_ns(), **fields})
    attributes(point.attributes, {**({} if tenant is None else {"tenant.id": tenant}), **dict(values)})
    return message
