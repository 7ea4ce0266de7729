"""How a refusal is written: in OTLP's form for exporters, in JSON for everybody else."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Match

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


def missing(request: Request, error: Exception) -> Response:
    """The answer to a request for what is not there: to a path that nobody answers, or not by this method."""
    cause = error if isinstance(error, HTTPException) else HTTPException(404)
    path: str = request.scope["path"]
    headers = dict(cause.headers or {})
    sentence = f"there is nothing under {path[:100]!r}. GET /api/v1/openapi.json says what there is."
    if cause.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request))
        sentence = f"{path[:100]} is not for {request.method}, but for {headers['Allow']}."
    if path.startswith("/v1/"):
        return reply.failure(request, cause.status_code, sentence, headers)
    if path.startswith("/api/"):
        return JSONResponse({"error": sentence}, cause.status_code, headers)
    return PlainTextResponse(cause.detail, cause.status_code, headers)


def _methods(request: Request) -> list[str]:
    """By which methods a path is answered; each of them is a route of its own."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in routes for method in getattr(route, "methods", None) or ("GET", "HEAD")})


def _in_json(cause: Refusal) -> Response:
    headers = {} if cause.retry_after is None else {"Retry-After": str(cause.retry_after)}
    return JSONResponse({"error": str(cause)}, cause.status, headers)
