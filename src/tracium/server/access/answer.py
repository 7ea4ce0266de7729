"""How a refusal is written: in OTLP's form for exporters, in JSON for everybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse

from tracium.server import reply
from tracium.server.access.refusal import UnauthenticatedError

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Scope

    from tracium.server.refusal import Refusal


def refused(scope: Scope, cause: Refusal) -> Response:
    """The answer to a request that is not let in."""
    response = reply.refusal(Request(scope), cause) if scope["path"].startswith("/v1/") else _in_json(cause)
    if isinstance(cause, UnauthenticatedError):
        response.headers["WWW-Authenticate"] = cause.challenge
    return response


def _in_json(cause: Refusal) -> Response:
    headers = {} if cause.retry_after is None else {"Retry-After": str(cause.retry_after)}
    return JSONResponse({"error": str(cause)}, cause.status, headers)
