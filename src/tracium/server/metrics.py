"""OTLP metric requests: read from a body, checked, and brought into the one form that the store reads."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tracium.server.access.restrict import restrict
from tracium.server.batch import Batch
from tracium.server.composites import Flattener, values_of
from tracium.server.ids import misfit
from tracium.server.parsing import parse
from tracium.server.reading import Reading, Rejections, request_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue
    from opentelemetry.proto.metrics.v1.metrics_pb2 import (
        Exemplar,
        ExponentialHistogramDataPoint,
        HistogramDataPoint,
        Metric,
        NumberDataPoint,
        SummaryDataPoint,
    )

    from tracium.server.access.principal import Principal

    _WithExemplars: TypeAlias = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint
    _Point: TypeAlias = _WithExemplars | SummaryDataPoint
    # In truth of one kind, whichever it is.
    _Points: TypeAlias = RepeatedCompositeFieldContainer[NumberDataPoint]

_DATA: Final = "resourceMetrics.scopeMetrics.metrics"
_WITH_EXEMPLARS: Final = ("gauge", "sum", "histogram", "exponentialHistogram")


def read_metrics(body: bytes, content_type: str, sender: Principal) -> Reading:
    """Parse and check a request for ``/v1/metrics``; points without a time, or with exemplars whose ids are none, are left out.

    Args:
        body: the uncompressed body.
        content_type: `parsing.PROTOBUF` or `parsing.JSON`.
        sender: who sent it: what belongs to tenants that are not theirs is left out, too.

    Raises:
        BadBodyError: it is no such request, or nothing of it can be stored.
    """
    exemplars = (f"{_DATA}.{kind}.dataPoints.exemplars" for kind in _WITH_EXEMPLARS)
    request = parse(body, content_type, ExportMetricsServiceRequest, *exemplars)
    rejections = Rejections()
    count = 0
    for metric in _metrics(request):
        points = points_of(metric)
        if points is None:
            rejections.add(f"The metric {metric.name!r} has no data of a kind that is known here.", 0)
            continue
        rejections.leave_out(points, partial(_misfit, metric.name))
        count += len(points)
    count -= rejections.settle(count, restrict(request, sender.scope))
    batch = Batch("metrics", _FLATTENER.serialise(request), count, request_key("metrics", sender, body))
    return Reading(batch, rejections.count, rejections.reason)


def points_of(metric: Metric) -> _Points | None:
    """The points of a metric, of whichever kind it is; None where it has no data."""
    kind = metric.WhichOneof("data")
    if kind is None:
        return None
    points: _Points = getattr(metric, kind).data_points
    return points


def _metrics(request: ExportMetricsServiceRequest) -> Iterator[Metric]:
    for resource_metrics in request.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            yield from scope_metrics.metrics


def _misfit(name: str, point: _Point) -> str | None:
    # It would belong to 1970, and be gone at once.
    if not point.time_unix_nano:
        return f"A point of the metric {name!r} has no time."
    for exemplar in _exemplars(point):
        if reason := misfit(exemplar.trace_id, exemplar.span_id):
            return f"An exemplar of the metric {name!r} {reason}."
    return None


def _exemplars(point: _Point) -> Iterable[Exemplar]:
    # A point of a summary has none.
    exemplars: Iterable[Exemplar] = getattr(point, "exemplars", ())
    return exemplars


def _values(request: ExportMetricsServiceRequest) -> Iterator[AnyValue]:
    for resource_metrics in request.resource_metrics:
        yield from values_of(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            yield from values_of(scope_metrics.scope.attributes)
            for metric in scope_metrics.metrics:
                yield from chain.from_iterable(map(_of_point, points_of(metric) or ()))


def _of_point(point: _Point) -> Iterator[AnyValue]:
    yield from values_of(point.attributes)
    for exemplar in _exemplars(point):
        yield from values_of(exemplar.filtered_attributes)


_FLATTENER: Final = Flattener(ExportMetricsServiceRequest, _values)
