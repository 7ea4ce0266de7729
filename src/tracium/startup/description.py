"""What is sent, with a resource added to its own: what `init` learned after the provider was made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.resources import Resource


class Description:
    """A resource that is added to others.

    Args:
        resource: What it says goes before what they say.
    """

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._merged: dict[int, tuple[Resource, Resource]] = {}

    def span(self, span: ReadableSpan) -> ReadableSpan:
        """The span, described."""
        return ReadableSpan(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=self._merge(span.resource),
            attributes=span._attributes,  # noqa: SLF001 - the object that counts what was dropped
            events=span._events,  # noqa: SLF001
            links=span._links,  # noqa: SLF001
            kind=span.kind,
            status=span.status,
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    def log_record(self, record: ReadableLogRecord) -> ReadableLogRecord:
        """The record, described."""
        return replace(record, resource=self._merge(record.resource))

    def metrics(self, data: MetricsData) -> MetricsData:
        """The metrics, described."""
        return replace(
            data,
            resource_metrics=[
                replace(metrics, resource=self._merge(metrics.resource)) for metrics in data.resource_metrics
            ],
        )

    def _merge(self, resource: Resource) -> Resource:
        known = self._merged.get(id(resource))
        if known is None or known[0] is not resource:
            known = (resource, resource.merge(self._resource))
            self._merged[id(resource)] = known
        return known[1]
