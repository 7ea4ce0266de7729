"""OTLP's answers, in the content type of the request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from google.protobuf import json_format
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from starlette.responses import PlainTextResponse, Response

from tracium.server.parsing import JSON, media_type
from tracium.server.refusal import Refusal, UnknownEncodingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.message import Message
    from starlette.requests import Request

    from tracium.server.batch import Signal
    from tracium.server.reading import Reading

# google.rpc.Code, by HTTP status; INVALID_ARGUMENT where there is none.
_INVALID_ARGUMENT: Final = 3
_CODES: Final = {401: 16, 403: 7, 404: 12, 405: 12, 408: 4, 413: 8, 429: 8, 503: 14}

_RESPONSES: Final[Mapping[Signal, Callable[[int, str], Message]]] = {
    "traces": lambda count, reason: ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(rejected_spans=count, error_message=reason)
    ),
    "logs": lambda count, reason: ExportLogsServiceResponse(
        partial_success=ExportLogsPartialSuccess(rejected_log_records=count, error_message=reason)
    ),
    "metrics": lambda count, reason: ExportMetricsServiceResponse(
        partial_success=ExportMetricsPartialSuccess(rejected_data_points=count, error_message=reason)
    ),
}
_FULL_SUCCESS: Final[Mapping[Signal, Message]] = {
    "traces": ExportTraceServiceResponse(),
    "logs": ExportLogsServiceResponse(),
    "metrics": ExportMetricsServiceResponse(),
}


def response(signal: Signal, reading: Reading) -> Message:
    """What OTLP answers to a request that was stored, in full or in part.

    https://opentelemetry.io/docs/specs/otlp/#partial-success: a full success leaves ``partial_success`` out.
    """
    if reading.reason:
        return _RESPONSES[signal](reading.rejected, reading.reason)
    return _FULL_SUCCESS[signal]


def success(content_type: str, signal: Signal, reading: Reading) -> Response:
    """What `response` says, over HTTP."""
    message = response(signal, reading)
    if content_type == JSON:
        body = json.dumps(json_format.MessageToDict(message)).encode()
    else:
        body = message.SerializeToString()
    return Response(body, media_type=content_type)


def code(status: int) -> int:
    """The ``google.rpc.Code`` that an HTTP status stands for."""
    return _CODES.get(status, _INVALID_ARGUMENT)


def refusal(request: Request, cause: Refusal) -> Response:
    """Nothing was accepted, for the reason that `cause` gives."""
    headers = {} if cause.retry_after is None else {"Retry-After": str(cause.retry_after)}
    return failure(request, cause.status, str(cause), headers)


def failure(request: Request, status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    """An HTTP error with its reason as a ``google.rpc.Status``, or as plain text for a client of neither type."""
    try:
        content_type = media_type(request.headers.get("content-type", ""))
    except UnknownEncodingError:
        return PlainTextResponse(f"{reason}\n", status, headers)
    if content_type == JSON:
        body = json.dumps({"code": code(status), "message": reason}).encode()
    else:
        body = Status(code=code(status), message=reason).SerializeToString()
    return Response(body, status, headers, content_type)
