"""Any ASGI app: the tenant of each request, and OpenTelemetry's own ASGI middleware."""

from __future__ import annotations

import json
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from wrapt import register_post_import_hook

from tracium.frameworks.entry import REQUESTS, enter_asgi, serve_asgi
from tracium.frameworks.incoming import AsgiRequest
from tracium.frameworks.policy import Policy

if TYPE_CHECKING:
    from tracium.frameworks.entry import AsgiCall, Receive, Scope, Send
    from tracium.frameworks.policy import MissingPolicy, Refusal
    from tracium.frameworks.resolvers import AnyResolver


def instrument() -> None:
    """Let requests arrive at OpenTelemetry's ASGI middleware, wherever an app uses it."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware  # noqa: PLC0415 - the middleware needs it not

    enter_asgi(OpenTelemetryMiddleware)


# Also where `tracium.trace()` does not: the app may be instrumented by hand, around the middleware below.
register_post_import_hook(lambda _module: instrument(), "opentelemetry.instrumentation.asgi")


class TenantMiddleware:
    """Sets the tenant of each HTTP request and websocket that an ASGI app serves.

    The tenant holds until the response is complete, in everything that the request starts, and for nothing after it.

    Args:
        app: The ASGI app.
        resolver: Who the tenant is: a resolver of `tracium.frameworks.resolvers`, or a callable, sync or async, that
            takes the ASGI scope and gives a tenant id or None. A sync one runs in the event loop.
        missing: What to do where it gives None: `allow`, or `reject` with 401; or a callable that takes the same and gives
            one of both, to let health checks through.
        default: The tenant of the telemetry of such requests as long as none is set in them, such as `anonymous`.

    Raises:
        SettingError: A value that is not allowed; the message says what is.
    """

    def __init__(
        self, app: AsgiCall, resolver: AnyResolver, *, missing: MissingPolicy = "allow", default: str | None = None
    ) -> None:
        self.app = app
        self._policy = Policy(resolver, missing, default)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope; others than requests go through."""
        if scope["type"] in REQUESTS:
            await serve_asgi(self._serve, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = self._native(scope)
        found = self._policy.ask(AsgiRequest(scope, request))
        refusal = self._policy.settle(await found if isawaitable(found) else found, request)
        if refusal is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
            await self._refuse(refusal, scope, receive, send)
        else:
            # 1008, policy violation: https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.sentence})

    def _native(self, scope: Scope) -> object:
        """What a callable is given."""
        return scope

    async def _refuse(self, refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - for those who do it otherwise
        prefix = "websocket." if scope["type"] == "websocket" else ""
        body = json.dumps(refusal.body).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers += [(name.lower().encode(), value.encode()) for name, value in refusal.headers.items()]
        start: dict[str, Any] = {"type": f"{prefix}http.response.start", "status": refusal.status, "headers": headers}
        await send(start)
        await send({"type": f"{prefix}http.response.body", "body": body})
