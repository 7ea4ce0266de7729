"""OTLP trace requests: read from a body, checked, and brought into the one form that the store reads."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracium.server.composites import flatten
from tracium.server.refusal import BadBodyError, UnknownEncodingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class TraceBatch:
    """One request's spans, ready to be written."""

    # A serialised ExportTraceServiceRequest without arrays and key-value lists.
    body: bytes
    spans: int


def media_type(header: str) -> str:
    """The content type that a ``Content-Type`` header names, without parameters.

    Raises:
        UnknownEncodingError: it is neither protobuf nor JSON.
    """
    name = header.partition(";")[0].strip().lower()
    if name in {PROTOBUF, "application/protobuf"}:
        return PROTOBUF
    if name == JSON:
        return JSON
    raise UnknownEncodingError(f"Content-Type {name!r} is not supported. Send {PROTOBUF} or {JSON}.")


def read_traces(body: bytes, content_type: str) -> TraceBatch:
    """Parse and check a request for ``/v1/traces``.

    Args:
        body: the uncompressed body.
        content_type: `PROTOBUF` or `JSON`.

    Raises:
        BadBodyError: it is no such request, or has a span without valid ids.
    """
    request = _from_json(body) if content_type == JSON else _from_protobuf(body)
    count = 0
    for span in _spans(request):
        _check_ids(span)
        count += 1
    # Written anew rather than passed on: the wire allows forms (a message in two halves, two values of a oneof)
    # that the engine's reader takes differently.
    plain = request.SerializeToString()
    if flatten(request, plain):
        plain = request.SerializeToString()
    return TraceBatch(body=plain, spans=count)


def _from_protobuf(body: bytes) -> ExportTraceServiceRequest:
    try:
        return ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise BadBodyError(f"the body is not an ExportTraceServiceRequest in protobuf: {error}") from error


def _from_json(body: bytes) -> ExportTraceServiceRequest:
    try:
        value = json.loads(body)
        _ids_to_base64(value)
        return json_format.ParseDict(value, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BadBodyError(f"the body is not an ExportTraceServiceRequest in JSON: {error}") from error


def _ids_to_base64(request: dict[str, Any]) -> None:
    """Turn ids from OTLP's hexadecimal into the base64 that protobuf's JSON has for bytes."""
    for resource_spans in request.get("resourceSpans") or ():
        for scope_spans in resource_spans.get("scopeSpans") or ():
            for span in scope_spans.get("spans") or ():
                _id_fields_to_base64(span, "traceId", "spanId", "parentSpanId")
                for link in span.get("links") or ():
                    _id_fields_to_base64(link, "traceId", "spanId")


def _id_fields_to_base64(message: dict[str, Any], *names: str) -> None:
    for name in names:
        text = message.get(name)
        if text is None:
            continue
        try:
            message[name] = base64.b64encode(bytes.fromhex(text)).decode()
        except (ValueError, TypeError, binascii.Error) as error:
            raise BadBodyError(f"{name} {text!r} is not hexadecimal") from error


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            yield from scope_spans.spans


def _check_ids(span: Span) -> None:
    _check_id("trace id", span.trace_id, _TRACE_ID_BYTES, span)
    _check_id("span id", span.span_id, _SPAN_ID_BYTES, span)
    if len(span.parent_span_id) not in {0, _SPAN_ID_BYTES}:
        raise BadBodyError(f"span {span.name!r} has the parent span id {span.parent_span_id.hex()!r}, not 8 bytes")


def _check_id(what: str, value: bytes, length: int, span: Span) -> None:
    if len(value) != length or not any(value):
        raise BadBodyError(f"span {span.name!r} has the {what} {value.hex()!r}, not {length} bytes other than zeros")
