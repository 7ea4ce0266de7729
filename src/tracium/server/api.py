"""Questions over HTTP: usage, and the two that orchestrators ask."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from tracium.exceptions import StoreError
from tracium.server import queries
from tracium.server.access.answer import refused
from tracium.server.access.refusal import ForbiddenError
from tracium.server.scope import TenantScope
from tracium.server.timerange import TimeRange

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

    from tracium.server.store import Store


class Api:
    """The endpoints that read; each runs in a thread, because the store's answers block."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def usage(self, request: Request) -> Response:
        """``GET /api/v1/usage?from=TIME&to=TIME&tenant=NAME…``, or ``&scope=all`` in the place of tenants."""
        try:
            scope = _scope(request.query_params)
            time_range = _time_range(request.query_params)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        try:
            scope = request.state.principal.narrow(scope)
            return JSONResponse(queries.usage(self._store, scope, time_range).to_json())
        except ForbiddenError as error:
            return refused(request.scope, error)
        except StoreError as error:
            return JSONResponse({"error": str(error)}, 503)

    def health(self, _request: Request) -> JSONResponse:
        """``GET /health``: the process answers."""
        return JSONResponse({"status": "ok"})

    def ready(self, _request: Request) -> JSONResponse:
        """``GET /ready``: the store answers, too."""
        try:
            queries.ready(self._store)
        except StoreError as error:
            return JSONResponse({"error": str(error)}, 503)
        return JSONResponse({"status": "ready"})


def _scope(query: QueryParams) -> TenantScope:
    tenants = query.getlist("tenant")
    everything = query.getlist("scope")
    if everything and not tenants and set(everything) == {"all"}:
        return TenantScope.all()
    if everything or not tenants:
        raise ValueError("say whose usage: tenant=NAME, once for each tenant, or scope=all")
    return TenantScope.of(*tenants)


def _time_range(query: QueryParams) -> TimeRange:
    return TimeRange(_time(query, "from"), _time(query, "to"))


def _time(query: QueryParams, name: str) -> datetime:
    text = query.get(name, "")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"{name}={text!r} is not a time in ISO 8601 with a time zone, such as 2026-01-31T12:00:00Z"
        ) from error
