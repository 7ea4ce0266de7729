"""Tokens, sessions of browsers and the audit log over HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from tracium.exceptions import StoreError
from tracium.server.access.administration import Administration
from tracium.server.access.answer import refused
from tracium.server.access.cookie import Cookie
from tracium.server.access.gate import origin_of, peer_of
from tracium.server.access.permit import Permit
from tracium.server.access.principal import Kind
from tracium.server.access.refusal import ForbiddenError, UnauthenticatedError
from tracium.server.access.token import id_of, is_session
from tracium.server.api.parameter import Parameter, read_all
from tracium.server.api.parameters import limit
from tracium.server.body import json_object
from tracium.server.refusal import Refusal
from tracium.server.unavailable import unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from tracium.server.access.gatekeeper import Gatekeeper
    from tracium.server.access.principal import Principal
    from tracium.server.store import Store

_TOKEN: Final = ("kind", "tenants", "grants", "name", "expires")
_NAME_LENGTH: Final = 255


class AccessApi:
    """The endpoints; what blocks runs in a thread."""

    def __init__(self, store: Store, gatekeeper: Gatekeeper) -> None:
        self._store = store
        self._gatekeeper = gatekeeper

    async def make_token(self, request: Request) -> Response:
        """``POST /api/v1/tokens`` with kind, tenants, grants, name and expires: the one answer that has the secret."""
        try:
            told = await json_object(request, _TOKEN)
            permit, name, expires = _permit(told), _text(told, "name"), _moment(told.get("expires"))
            made = await asyncio.to_thread(self._administration(request).make, permit, name, expires)
        except (ValueError, Refusal, StoreError) as error:
            return _failed(request, error)
        return JSONResponse({"secret": made.secret, "token": made.token.to_json()}, 201)

    def tokens(self, request: Request) -> Response:
        """``GET /api/v1/tokens``: all that a person made, without their secrets."""
        return _answered(request, lambda: {"tokens": [one.to_json() for one in self._administration(request).tokens()]})

    def revoke_token(self, request: Request) -> Response:
        """``DELETE /api/v1/tokens/{id}``: no request after this answer is let in with it."""
        token_id: str = request.path_params["id"]
        try:
            token = self._administration(request).revoke(token_id)
        except StoreError as error:
            return _failed(request, error)
        if token is None:
            return JSONResponse({"error": f"there is no token of the id {token_id!r}."}, 404)
        return JSONResponse(token.to_json())

    def audit(self, request: Request) -> Response:
        """``GET /api/v1/audit?from=TIME&limit=NUMBER``: the newest entries since a moment, the newest first."""
        try:
            values = read_all((_SINCE, _ENTRIES), {}, request.query_params.multi_items())
            since, most = values[_SINCE], values[_ENTRIES]
        except ValueError as error:
            return _failed(request, error)
        return _answered(
            request,
            lambda: {"entries": [one.to_json() for one in self._administration(request).entries(since, most)]},
        )

    def session(self, request: Request) -> Response:
        """``GET /api/v1/session``: who the server takes the sender for."""
        return JSONResponse(_described(request.state.principal))

    async def log_in(self, request: Request) -> Response:
        """``POST /api/v1/session`` with a token: the browser gets a cookie of its own for it."""
        try:
            token = _text(await json_object(request, ("token",)), "token")
            if is_session(token):
                # Else a session that was copied could be made to last for ever.
                raise UnauthenticatedError(shown=True)
            principal = await self._gatekeeper.identify(token, peer_of(request))
            if principal.kind is Kind.INGEST:
                raise ForbiddenError("a token of kind ingest only sends: there is nothing to see with it.")
            response = JSONResponse(_described(principal))
            if not principal.is_operator:
                secret = await asyncio.to_thread(self._administration(request, principal).log_in)
                Cookie(origin_of(request)).put(response, secret)
        except (ValueError, Refusal, StoreError) as error:
            return _failed(request, error)
        return response

    def log_out(self, request: Request) -> Response:
        """``DELETE /api/v1/session``: ends the session here, and in the browser."""
        response = Response(status_code=204)
        cookie = Cookie(origin_of(request))
        session = cookie.read(request)
        try:
            # A token that was shown by hand is not a session, and stays.
            if session and "authorization" not in request.headers:
                self._administration(request).log_out(id_of(session))
        except StoreError as error:
            return _failed(request, error)
        cookie.remove(response)
        return response

    def _administration(self, request: Request, principal: Principal | None = None) -> Administration:
        return Administration(
            self._store, principal or request.state.principal, peer_of(request), self._gatekeeper.forget
        )


def _described(principal: Principal) -> dict[str, Any]:
    return {
        "id": principal.id,
        "kind": principal.kind.value,
        "tenants": None if principal.scope.tenants is None else list(principal.scope.tenants),
        "grants": sorted(principal.grants),
    }


def _answered(request: Request, answer: Callable[[], dict[str, Any]]) -> Response:
    try:
        return JSONResponse(answer())
    except StoreError as error:
        return _failed(request, error)


def _failed(request: Request, error: Exception) -> Response:
    if isinstance(error, Refusal):
        return refused(request.scope, error)
    if isinstance(error, StoreError):
        return JSONResponse({"error": unavailable(error, getattr(request.state, "principal", None))}, 503)
    return JSONResponse({"error": str(error)}, 400)


def _permit(told: dict[str, Any]) -> Permit:
    return Permit.of(_text(told, "kind"), _texts(told, "tenants"), _texts(told, "grants"))


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _NAME_LENGTH:
        raise ValueError(f"{name} has to be text of at most {_NAME_LENGTH} characters.")
    return value


def _texts(told: dict[str, Any], name: str) -> list[str]:
    value = told.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{name} has to be a list of text.")
    return value


def _moment(value: object) -> datetime | None:
    try:
        return None if value is None else _time(str(value))
    except ValueError as error:
        raise ValueError(f"expires={value!r} {error}.") from error


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("is no time in ISO 8601 with a zone, such as 2026-01-31T12:00:00Z")


_SINCE: Final[Parameter[datetime]] = Parameter(
    "from", _time, {"type": "string", "format": "date-time"}, "Since when.", datetime.fromtimestamp(0, UTC)
)
_ENTRIES: Final = limit(100, 10_000)
