"""OTLP requests in protobuf and in JSON, parsed into the messages of opentelemetry-proto."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from tracium.server.refusal import BadBodyError, UnknownEncodingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

# What OTLP writes in hexadecimal where protobuf's JSON has base64.
_IDS: Final = ("traceId", "spanId", "parentSpanId")
_Request = TypeVar("_Request", bound=Message)


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


def parse(body: bytes, content_type: str, request: type[_Request], *with_ids: str) -> _Request:
    """Parse a request.

    Args:
        body: the uncompressed body.
        content_type: `PROTOBUF` or `JSON`.
        request: the type of the request.
        with_ids: where in the JSON objects with trace and span ids stand, such as ``resourceSpans.scopeSpans.spans``.

    Raises:
        BadBodyError: it is no such request.
    """
    if content_type == JSON:
        return _from_json(body, request, with_ids)
    try:
        return request.FromString(body)
    except DecodeError as error:
        raise BadBodyError(f"the body is not an {request.DESCRIPTOR.name} in protobuf: {error}") from error


def _from_json(body: bytes, request: type[_Request], with_ids: Sequence[str]) -> _Request:
    try:
        value = json.loads(body)
        for path in with_ids:
            for one in _at(value, path.split(".")):
                _ids_to_base64(one)
        return json_format.ParseDict(value, request(), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BadBodyError(f"the body is not an {request.DESCRIPTOR.name} in JSON: {error}") from error


def _at(value: dict[str, Any], path: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every object at a path, through the lists on the way."""
    if not path:
        yield value
        return
    found = value.get(path[0]) or ()
    for one in (found,) if isinstance(found, dict) else found:
        yield from _at(one, path[1:])


def _ids_to_base64(message: dict[str, Any]) -> None:
    for name in _IDS:
        text = message.get(name)
        if text is None:
            continue
        try:
            message[name] = base64.b64encode(bytes.fromhex(text)).decode()
        except (ValueError, TypeError) as error:
            raise BadBodyError(f"{name} {text!r} is not hexadecimal") from error
