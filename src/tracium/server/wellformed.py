"""Trace requests in the one form that the store reads, told from others in one pass: almost every request is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, unknown_fields
from google.protobuf.message import DecodeError, EncodeError, Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import FileDescriptor

_COMMON: Final = "opentelemetry/proto/common/v1/common.proto"
_TRACE: Final = "opentelemetry/proto/trace/v1/trace.proto"
_COMPOSITE: Final = "tracium/composite.proto"
_PLAIN: Final = "tracium/plain.proto"
_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8
_PARENT_LENGTHS: Final = (0, _SPAN_ID_BYTES)
_NO_IDS: Final = {bytes(_TRACE_ID_BYTES), bytes(_SPAN_ID_BYTES)}
# A value (field 2) of two bytes: an array (field 5) without any. The store's reader cannot tell it from no value.
_EMPTY_ARRAY: Final = b"\x12\x02\x2a\x00"


def rewritten(body: bytes) -> tuple[bytes, int] | None:
    """Write a request as the store reads it; None for one of which something has to be left out or changed first.

    Args:
        body: what may be a serialised request.

    Returns:
        The request, and how many spans it has.
    """
    try:
        request = _REQUEST.FromString(body)
        # What the store's reader takes for its own field must not come from outside.
        if len(unknown_fields.UnknownFieldSet(request)):
            return None
        count = _count(request)
        # Written anew rather than passed on: the wire allows forms (a message in two halves, two values of a oneof)
        # that the engine's reader takes differently.
        written = request.SerializeToString()
    except (DecodeError, EncodeError):
        return None
    return None if count is None or _EMPTY_ARRAY in written else (written, count)


def _count(request: Any) -> int | None:
    """How many spans a request has; None where the ids of one are not valid."""
    count = 0
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                # Here and not in a function: a call for every span takes longer than all of this.
                trace_id, span_id = span.trace_id, span.span_id
                if (
                    len(trace_id) != _TRACE_ID_BYTES
                    or len(span_id) != _SPAN_ID_BYTES
                    or len(span.parent_span_id) not in _PARENT_LENGTHS
                    or trace_id in _NO_IDS
                    or span_id in _NO_IDS
                ):
                    return None
            count += len(scope_spans.spans)
    return count


def _request() -> type[Message]:
    """OTLP's request, in which every value that the store's reader does not take lacks a required field.

    So protobuf itself, in C, finds such a value at any depth while it writes the request. The reader takes arrays of
    plain values in the attributes of resources and spans, and no other composite values.
    """
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_composite())
    for file in _files(ExportTraceServiceRequest.DESCRIPTOR.file, set()):
        copy = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(copy)
        if file.name == _COMMON:
            pool.Add(_plain(copy))
            value = _message(copy, "AnyValue")
            _retype(value, array_value=".tracium.plain.ArrayValue", kvlist_value=".tracium.Composite")
            copy.dependency.extend((_PLAIN, _COMPOSITE))
        if file.name == _TRACE:
            for part in _message(copy, "Span").nested_type:
                _retype(part, attributes=".tracium.plain.KeyValue")
            copy.dependency.append(_PLAIN)
        pool.Add(copy)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(ExportTraceServiceRequest.DESCRIPTOR.full_name))


def _composite() -> descriptor_pb2.FileDescriptorProto:
    """A message that is never complete."""
    file = descriptor_pb2.FileDescriptorProto(name=_COMPOSITE, package="tracium", syntax="proto2")
    kind = descriptor_pb2.FieldDescriptorProto
    file.message_type.add(name="Composite").field.add(
        name="never", number=1000, type=kind.TYPE_BOOL, label=kind.LABEL_REQUIRED
    )
    return file


def _plain(common: descriptor_pb2.FileDescriptorProto) -> descriptor_pb2.FileDescriptorProto:
    """Attributes, arrays and values once more, without a complete value that is composite."""
    file = descriptor_pb2.FileDescriptorProto(
        name=_PLAIN, package="tracium.plain", syntax=common.syntax, dependency=[_COMPOSITE]
    )
    for name, types in (
        ("AnyValue", {"array_value": ".tracium.Composite", "kvlist_value": ".tracium.Composite"}),
        ("ArrayValue", {"values": ".tracium.plain.AnyValue"}),
        ("KeyValue", {"value": ".tracium.plain.AnyValue"}),
    ):
        message = file.message_type.add()
        message.CopyFrom(_message(common, name))
        _retype(message, **types)
    return file


def _files(file: FileDescriptor, seen: set[str]) -> Iterator[FileDescriptor]:
    """A file behind those that it depends on, each once."""
    if file.name not in seen:
        seen.add(file.name)
        for other in file.dependencies:
            yield from _files(other, seen)
        yield file


def _message(file: descriptor_pb2.FileDescriptorProto, name: str) -> descriptor_pb2.DescriptorProto:
    return next(message for message in file.message_type if message.name == name)


def _retype(message: descriptor_pb2.DescriptorProto, **types: str) -> None:
    for field in message.field:
        if field.name in types:
            field.type_name = types[field.name]


_REQUEST: Final = _request()
