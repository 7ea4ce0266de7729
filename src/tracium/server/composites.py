"""Arrays and key-value lists in attributes, which the store keeps as JSON text."""

from __future__ import annotations

import base64
import json
import math
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

_Field: Final = descriptor_pb2.FieldDescriptorProto
# Go's encoding/json writes these as escapes, so that JSON can stand inside HTML and JavaScript.
_GO_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
# Go writes doubles like ECMAScript: positional in [1e-6, 1e21), with an exponent outside.
_POSITIONAL_FROM: Final = 1e-6
_POSITIONAL_UNTIL: Final = 1e21


def flatten(request: ExportTraceServiceRequest, body: bytes) -> bool:
    """Replace each array and key-value list by its JSON text, as the Collector's ClickHouse exporter writes it.

    Args:
        request: the parsed message, changed in place.
        body: the same message in its serialised form.

    Returns:
        Whether anything was replaced.
    """
    # Almost no request has one, and this look costs a third of a walk over all attributes.
    if _PROBE.FromString(body).IsInitialized():
        return False
    for attribute in _attributes(request):
        if attribute.value.WhichOneof("value") in {"array_value", "kvlist_value"}:
            attribute.value.string_value = json_text(attribute.value)
    return True


def json_text(value: AnyValue) -> str:
    """Write a value as Go's ``encoding/json`` does, keys sorted; what JSON cannot say (NaN, infinity) as a string."""
    kind = value.WhichOneof("value")
    return "null" if kind is None else _WRITERS.get(kind, _unknown)(getattr(value, kind))


def _attributes(request: ExportTraceServiceRequest) -> Iterator[KeyValue]:
    for resource_spans in request.resource_spans:
        yield from resource_spans.resource.attributes
        for scope_spans in resource_spans.scope_spans:
            yield from chain.from_iterable(map(_of_span, scope_spans.spans))


def _of_span(span: Span) -> Iterator[KeyValue]:
    yield from span.attributes
    for event in span.events:
        yield from event.attributes
    for link in span.links:
        yield from link.attributes


def _array(value: ArrayValue) -> str:
    return f"[{','.join(map(json_text, value.values))}]"


def _object(value: KeyValueList) -> str:
    members = {one.key: json_text(one.value) for one in value.values}
    return "{" + ",".join(f"{_quote(key)}:{members[key]}" for key in sorted(members)) + "}"


def _base64(value: bytes) -> str:
    return _quote(base64.b64encode(value).decode())


def _unknown(_value: object) -> str:
    return "null"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_GO_ESCAPES)


def _double(number: float) -> str:
    if not math.isfinite(number):
        return f'"{_non_finite(number)}"'
    shortest = repr(number)
    if number == 0 or _POSITIONAL_FROM <= abs(number) < _POSITIONAL_UNTIL:
        return format(Decimal(shortest), "f").removesuffix(".0")
    return shortest.replace("e-0", "e-")


_WRITERS: Final[dict[str, Callable[[Any], str]]] = {
    "array_value": _array,
    "bool_value": lambda value: "true" if value else "false",
    "bytes_value": _base64,
    "double_value": _double,
    "int_value": str,
    "kvlist_value": _object,
    "string_value": _quote,
}


def _non_finite(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "+Inf" if number > 0 else "-Inf"


def _probe() -> type[Message]:
    """A message that reads the attributes of spans and is incomplete if one of them is composite.

    It knows an array and a key-value list as messages that lack a required field, so that protobuf's own check for
    completeness, in C, finds them at any depth.
    """
    file = descriptor_pb2.FileDescriptorProto(name="tracium_composites.proto", package="tracium", syntax="proto2")
    many, one = _Field.LABEL_REPEATED, _Field.LABEL_OPTIONAL
    # The numbers are those of the fields in opentelemetry-proto.
    for name, parts in {
        "Request": {1: ("ResourceSpans", many)},
        "ResourceSpans": {1: ("Resource", one), 2: ("ScopeSpans", many)},
        "Resource": {1: ("KeyValue", many)},
        "ScopeSpans": {2: ("Span", many)},
        "Span": {9: ("KeyValue", many), 11: ("Event", many), 13: ("Link", many)},
        "Event": {3: ("KeyValue", many)},
        "Link": {4: ("KeyValue", many)},
        "KeyValue": {2: ("AnyValue", one)},
        "AnyValue": {5: ("Composite", one), 6: ("Composite", one)},
    }.items():
        message = file.message_type.add(name=name)
        for number, (kind, label) in parts.items():
            message.field.add(
                name=f"f{number}", number=number, type=_Field.TYPE_MESSAGE, type_name=f".tracium.{kind}", label=label
            )
    file.message_type.add(name="Composite").field.add(
        name="never", number=1000, type=_Field.TYPE_BOOL, label=_Field.LABEL_REQUIRED
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tracium.Request"))


_PROBE: Final = _probe()
