"""OTLP's answers, in the content type of the request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from starlette.responses import PlainTextResponse, Response

from tracium.server.otlp import JSON, PROTOBUF, media_type
from tracium.server.refusal import Refusal, UnknownEncodingError

if TYPE_CHECKING:
    from starlette.requests import Request

# https://opentelemetry.io/docs/specs/otlp/#full-success-1: the empty response message.
_SUCCESS: Final = {PROTOBUF: b"", JSON: b"{}"}
# google.rpc.Code, by HTTP status; INVALID_ARGUMENT where there is none.
_INVALID_ARGUMENT: Final = 3
_CODES: Final = {404: 12, 408: 4, 503: 14}


def success(content_type: str) -> Response:
    """Everything was accepted."""
    return Response(_SUCCESS[content_type], media_type=content_type)


def refusal(request: Request, cause: Refusal) -> Response:
    """Nothing was accepted, for the reason that `cause` gives."""
    headers = {} if cause.retry_after is None else {"Retry-After": str(cause.retry_after)}
    return failure(request, cause.status, str(cause), headers)


def failure(request: Request, status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    """An HTTP error with its reason as a ``google.rpc.Status``, or as plain text for a client of neither type."""
    code = _CODES.get(status, _INVALID_ARGUMENT)
    try:
        content_type = media_type(request.headers.get("content-type", ""))
    except UnknownEncodingError:
        return PlainTextResponse(f"{reason}\n", status, headers)
    if content_type == JSON:
        body = json.dumps({"code": code, "message": reason}).encode()
    else:
        body = Status(code=code, message=reason).SerializeToString()
    return Response(body, status, headers, content_type)
