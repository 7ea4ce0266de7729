"""What of an OTLP request a token may write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracium.attributes import TENANT_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, MutableSequence

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tracium.server.scope import TenantScope

ExportRequest: TypeAlias = ExportTraceServiceRequest | ExportLogsServiceRequest | ExportMetricsServiceRequest


_Kept = TypeVar("_Kept", "Span", "LogRecord", "NumberDataPoint")


@dataclass(frozen=True, slots=True)
class Rejection:
    """What was left out of a request; OTLP tells it as partial success."""

    # Spans, log records or data points.
    count: int
    # A sentence; empty if nothing was left out.
    reason: str


_NOTHING: Final = Rejection(0, "")


def restrict(request: ExportRequest, scope: TenantScope) -> Rejection:
    """Leave out of a request what belongs to a tenant that `scope` does not have; the request is changed in place.

    Every ``tenant.id`` counts: that of the resource, of the instrumentation scope, of the item itself, of its events,
    links and exemplars, and each one of a key that stands there twice. A value that is no string is no tenant's name.
    What names no tenant gets the scope's if that is exactly one, and belongs to nobody otherwise.

    To be called on the parsed message, before anything is computed from its bytes.

    Args:
        request: what was sent.
        scope: the tenants of the token that it was sent with.
    """
    if scope.tenants is None:
        return _NOTHING
    # A field that this release does not know could say what the checks do not see.
    request.DiscardUnknownFields()
    writer = _Writer(scope)
    match request:
        case ExportTraceServiceRequest():
            rejected = _restrict_traces(request, writer)
        case ExportLogsServiceRequest():
            rejected = _restrict_logs(request, writer)
        case ExportMetricsServiceRequest():
            rejected = _restrict_metrics(request, writer)
    return Rejection(rejected, _reason(rejected)) if rejected else _NOTHING


class _Writer:
    """Judges in the name of one token."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope
        self._only = scope.ids[0] if len(scope.ids) == 1 and not scope.prefixes else None

    def accepts(self, attributes: Iterable[KeyValue]) -> bool:
        """Whether each tenant that stands there is one of the token's."""
        return all(self._accepts(one) for one in attributes if one.key == TENANT_ID)

    def sign(self, item: Span | LogRecord | NumberDataPoint) -> None:
        """Give an item without a tenant the token's only one."""
        if self._only is not None and not any(one.key == TENANT_ID for one in item.attributes):
            item.attributes.add(key=TENANT_ID).value.string_value = self._only

    def _accepts(self, attribute: KeyValue) -> bool:
        value = attribute.value
        return value.WhichOneof("value") == "string_value" and self._scope.allows(value.string_value)


def _restrict_traces(request: ExportTraceServiceRequest, writer: _Writer) -> int:
    rejected = 0
    for outer in request.resource_spans:
        outer_accepted = writer.accepts(outer.resource.attributes)
        for inner in outer.scope_spans:
            accepted = outer_accepted and writer.accepts(inner.scope.attributes)
            rejected += _keep(inner.spans, accepted, writer, _of_span)
    return rejected


def _restrict_logs(request: ExportLogsServiceRequest, writer: _Writer) -> int:
    rejected = 0
    for outer in request.resource_logs:
        outer_accepted = writer.accepts(outer.resource.attributes)
        for inner in outer.scope_logs:
            accepted = outer_accepted and writer.accepts(inner.scope.attributes)
            rejected += _keep(inner.log_records, accepted, writer, _of_record)
    return rejected


def _restrict_metrics(request: ExportMetricsServiceRequest, writer: _Writer) -> int:
    rejected = 0
    for outer in request.resource_metrics:
        outer_accepted = writer.accepts(outer.resource.attributes)
        for inner in outer.scope_metrics:
            inner_accepted = outer_accepted and writer.accepts(inner.scope.attributes)
            for metric in inner.metrics:
                accepted = inner_accepted and writer.accepts(metric.metadata)
                rejected += _keep(_points(metric), accepted, writer, _of_point)
    return rejected


def _keep(
    items: MutableSequence[_Kept],
    accepted: bool,  # noqa: FBT001 - what was said of that which they are in
    writer: _Writer,
    parts: Callable[[_Kept], Iterator[Iterable[KeyValue]]],
) -> int:
    """Leave in `items` those of which each part is accepted; answer how many went."""
    kept = [item for item in items if all(map(writer.accepts, parts(item)))] if accepted else []
    rejected = len(items) - len(kept)
    if rejected:
        del items[:]
        items.extend(kept)
    for item in items:
        writer.sign(item)
    return rejected


def _of_span(span: Span) -> Iterator[Iterable[KeyValue]]:
    yield span.attributes
    yield from (event.attributes for event in span.events)
    yield from (link.attributes for link in span.links)


def _of_record(record: LogRecord) -> Iterator[Iterable[KeyValue]]:
    yield record.attributes


def _of_point(point: NumberDataPoint) -> Iterator[Iterable[KeyValue]]:
    yield point.attributes
    # A summary has none.
    yield from (exemplar.filtered_attributes for exemplar in getattr(point, "exemplars", ()))


def _points(metric: Metric) -> MutableSequence[NumberDataPoint]:
    """The points of a metric of whichever kind; they differ in nothing that matters here."""
    kind = metric.WhichOneof("data")
    points: MutableSequence[NumberDataPoint] = getattr(metric, kind).data_points if kind else []
    return points


def _reason(rejected: int) -> str:
    return (
        f"{rejected} of the items carry a {TENANT_ID} that is none of the token's. "
        "Send each tenant's telemetry with a token of its own, or all of it with one that is bound to no tenant."
    )
