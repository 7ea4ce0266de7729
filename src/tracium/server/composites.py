"""Arrays and key-value lists, which the store keeps as JSON text."""

from __future__ import annotations

import base64
import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, unknown_fields
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from google.protobuf.descriptor import Descriptor
    from opentelemetry.proto.common.v1.common_pb2 import ArrayValue, KeyValue, KeyValueList

_Field: Final = descriptor_pb2.FieldDescriptorProto
# Go's encoding/json writes these as escapes, so that JSON can stand inside JavaScript.
_GO_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in "\u2028\u2029"}
# Go writes doubles like ECMAScript: positional in [1e-6, 1e21), with an exponent outside.
_POSITIONAL_FROM: Final = 1e-6
_POSITIONAL_UNTIL: Final = 1e21
_Request = TypeVar("_Request", bound=Message)


class Flattener(Generic[_Request]):
    """Replaces each array and key-value list by its JSON text, as the Collector's ClickHouse exporter writes it.

    Args:
        request: the type of the requests.
        values: answers every value of a request that may be one.
    """

    def __init__(self, request: type[_Request], values: Callable[[_Request], Iterable[AnyValue]]) -> None:
        self._values = values
        self._probe = _probe(request.DESCRIPTOR)  # type: ignore[arg-type] # the stubs know two kinds of descriptors

    def serialise(self, request: _Request) -> bytes:
        """Bring a request into the one form that the store reads; the message is changed in place."""
        # What the store's reader takes for its own field must not come from outside.
        if len(unknown_fields.UnknownFieldSet(request)):
            request.DiscardUnknownFields()
        # Written anew rather than passed on: the wire allows forms (a message in two halves, two values of a oneof)
        # that the engine's reader takes differently.
        plain = request.SerializeToString()
        # Almost no request has a composite, and this look costs a third of a walk over all attributes.
        if self._probe.FromString(plain).IsInitialized():
            return plain
        for value in self._values(request):
            if value.WhichOneof("value") in {"array_value", "kvlist_value"}:
                value.string_value = json_text(value)
        return request.SerializeToString()


def values_of(attributes: Iterable[KeyValue]) -> Iterator[AnyValue]:
    """The values of attributes."""
    for attribute in attributes:
        yield attribute.value


def json_text(value: AnyValue) -> str:
    """Write a value as Go's ``encoding/json`` does, keys sorted; empty where it has what JSON cannot say (NaN, infinity)."""
    try:
        return _json(value)
    except OverflowError:
        return ""


def _json(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    return "null" if kind is None else _WRITERS.get(kind, _unknown)(getattr(value, kind))


def _array(value: ArrayValue) -> str:
    return f"[{','.join(map(_json, value.values))}]"


def _object(value: KeyValueList) -> str:
    members = {one.key: _json(one.value) for one in value.values}
    return "{" + ",".join(f"{_quote(key)}:{members[key]}" for key in sorted(members)) + "}"


def _base64(value: bytes) -> str:
    # In Go no bytes are a nil slice.
    return _quote(base64.b64encode(value).decode()) if value else "null"


def _unknown(_value: object) -> str:
    return "null"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_GO_ESCAPES)


def _double(number: float) -> str:
    if not math.isfinite(number):
        raise OverflowError
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


def _probe(request: Descriptor) -> type[Message]:
    """A message that reads the values of a request and is incomplete if one of them is composite.

    It knows a composite as a message that lacks a required field, so that protobuf's own check for completeness, in C,
    finds it at any depth.
    """
    file = descriptor_pb2.FileDescriptorProto(name="tracium_composites.proto", package="tracium", syntax="proto2")
    _add(file, "Composite").field.add(name="never", number=1000, type=_Field.TYPE_BOOL, label=_Field.LABEL_REQUIRED)
    value = _add(file, _name(AnyValue.DESCRIPTOR), ("array_value", 5, "Composite"), ("kvlist_value", 6, "Composite"))
    _describe(request, file, {value.name: True})
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tracium.{_name(request)}"))


def _describe(message: Descriptor, file: descriptor_pb2.FileDescriptorProto, known: dict[str, bool]) -> bool:
    """Put what leads to values into `file`; answer whether anything does."""
    name = _name(message)
    if name not in known:
        inner = [
            (field.name, field.number, _name(field.message_type))
            for field in message.fields
            if field.message_type is not None and _describe(field.message_type, file, known)
        ]
        known[name] = bool(inner)
        if inner:
            _add(file, name, *inner)
    return known[name]


def _add(
    file: descriptor_pb2.FileDescriptorProto, name: str, *fields: tuple[str, int, str]
) -> descriptor_pb2.DescriptorProto:
    """Add a message with fields of a name, a number and the name of the message that they hold."""
    message = file.message_type.add(name=name)
    for field, number, kind in fields:
        # A single message reads as a list of one, too.
        message.field.add(
            name=field,
            number=number,
            type=_Field.TYPE_MESSAGE,
            type_name=f".tracium.{kind}",
            label=_Field.LABEL_REPEATED,
        )
    return message


def _name(message: Descriptor) -> str:
    return message.full_name.replace(".", "_")
