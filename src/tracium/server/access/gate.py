"""The gate that every request passes before it reaches a route."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from tracium.server.access.answer import refused
from tracium.server.access.cookie import Cookie
from tracium.server.access.gatekeeper import bearer
from tracium.server.access.origin import refuse_foreign
from tracium.server.refusal import Refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from tracium.server.access.gatekeeper import Gatekeeper
    from tracium.server.access.principal import Principal
    from tracium.server.access.route import OpenPaths


class Gate:
    """ASGI middleware that puts who asks into ``scope["state"]["principal"]``, and lets nobody else in.

    What is open to anyone, and only that, passes without; there the state has no principal.
    """

    def __init__(self, app: ASGIApp, gatekeeper: Gatekeeper, open_paths: OpenPaths) -> None:
        self._app = app
        self._gatekeeper = gatekeeper
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            state = scope.setdefault("state", {})
            try:
                state["principal"] = await self._principal(HTTPConnection(scope))
            except Refusal as cause:
                await refused(scope, cause)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _principal(self, connection: HTTPConnection) -> Principal | None:
        method, path = connection.scope["method"], connection.scope["path"]
        # Of two, a proxy may have looked at the other one: then none is shown that could be right.
        is_one = len(connection.headers.getlist("authorization")) <= 1
        shown = bearer(connection.headers) if is_one else ""
        kept = Cookie(origin_of(connection)).read(connection) if shown is None else None
        refuse_foreign(method, connection.headers, origin_of(connection), by_cookie=kept is not None)
        if self._open_paths.has(method, path):
            return None
        return await self._gatekeeper.identify(kept if shown is None else shown, peer_of(connection))


def origin_of(connection: HTTPConnection) -> str:
    """This server's origin as the client knows it; the Host was checked before."""
    return f"{connection.scope['scheme']}://{connection.headers.get('host', '').lower()}"


def peer_of(connection: HTTPConnection) -> str:
    """The address that a request came from."""
    return connection.client.host if connection.client else ""
