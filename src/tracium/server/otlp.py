"""OTLP trace requests: read from a body, checked, and brought into the one form that the store reads."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracium.server.access.restrict import restrict
from tracium.server.batch import Batch
from tracium.server.composites import Flattener, values_of
from tracium.server.parsing import PROTOBUF, parse
from tracium.server.reading import Reading, Rejections, request_key
from tracium.server.wellformed import rewritten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tracium.server.access.principal import Principal

_SPANS: Final = "resourceSpans.scopeSpans.spans"
_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8
_PARENT_LENGTHS: Final = (0, _SPAN_ID_BYTES)
_NO_TRACE_ID: Final = bytes(_TRACE_ID_BYTES)
_NO_SPAN_ID: Final = bytes(_SPAN_ID_BYTES)


def read_traces(body: bytes, content_type: str, sender: Principal) -> Reading:
    """Parse and check a request for ``/v1/traces``; spans without valid ids are left out.

    Args:
        body: the uncompressed body.
        content_type: `parsing.PROTOBUF` or `parsing.JSON`.
        sender: who sent it: what belongs to tenants that are not theirs is left out, too.

    Raises:
        BadBodyError: it is no such request, or nothing of it can be stored.
    """
    # The limits of a token are found in the message itself.
    if content_type == PROTOBUF and sender.scope.tenants is None and (whole := rewritten(body)) is not None:
        return Reading(Batch("traces", *whole, request_key("traces", sender, body)))
    request = parse(body, content_type, ExportTraceServiceRequest, _SPANS, f"{_SPANS}.links")
    rejections = Rejections()
    count = 0
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            rejections.leave_out(scope_spans.spans, _misfit)
            count += len(scope_spans.spans)
    count -= rejections.settle(count, restrict(request, sender.scope))
    batch = Batch("traces", _serialise(request), count, request_key("traces", sender, body))
    return Reading(batch, rejections.count, rejections.reason)


def _serialise(request: ExportTraceServiceRequest) -> bytes:
    """Write what is left of a request; only where it has a value that the store's reader does not take, each is looked at."""
    whole = rewritten(request.SerializeToString())
    return _FLATTENER.serialise(request) if whole is None else whole[0]


def _misfit(span: Span) -> str | None:
    if _has_ids(span.trace_id, span.span_id, span.parent_span_id):
        return None
    return f"{_wrong_ids(span)}."


def _has_ids(trace_id: bytes, span_id: bytes, parent_span_id: bytes) -> bool:
    return (
        len(trace_id) == _TRACE_ID_BYTES
        and len(span_id) == _SPAN_ID_BYTES
        and len(parent_span_id) in _PARENT_LENGTHS
        and trace_id != _NO_TRACE_ID
        and span_id != _NO_SPAN_ID
    )


def _wrong_ids(span: Span) -> str:
    for what, value, length in (
        ("trace id", span.trace_id, _TRACE_ID_BYTES),
        ("span id", span.span_id, _SPAN_ID_BYTES),
    ):
        if len(value) != length or not any(value):
            return f"span {span.name!r} has the {what} {value.hex()!r}, not {length} bytes other than zeros"
    return f"span {span.name!r} has the parent span id {span.parent_span_id.hex()!r}, not 8 bytes"


def _values(request: ExportTraceServiceRequest) -> Iterator[AnyValue]:
    for resource_spans in request.resource_spans:
        yield from values_of(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            yield from values_of(chain.from_iterable(map(_of_span, scope_spans.spans)))


def _of_span(span: Span) -> Iterator[KeyValue]:
    yield from span.attributes
    for event in span.events:
        yield from event.attributes
    for link in span.links:
        yield from link.attributes


_FLATTENER: Final = Flattener(ExportTraceServiceRequest, _values)
