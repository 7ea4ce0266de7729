"""Any WSGI app: the tenant of each request, and OpenTelemetry's own WSGI middleware."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from inspect import isawaitable
from typing import TYPE_CHECKING

from wrapt import register_post_import_hook

from tracium.frameworks.entry import enter_wsgi, serve_wsgi
from tracium.frameworks.incoming import WsgiRequest
from tracium.frameworks.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from tracium.frameworks.entry import Environ, StartResponse, WsgiCall
    from tracium.frameworks.policy import MissingPolicy, Refusal
    from tracium.frameworks.resolvers import AnyResolver


def instrument() -> None:
    """Let requests arrive at OpenTelemetry's WSGI middleware, wherever an app uses it."""
    from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware  # noqa: PLC0415 - the middleware needs it not

    enter_wsgi(OpenTelemetryMiddleware)


# Also where `tracium.trace()` does not: the app may be instrumented by hand, around the middleware below.
register_post_import_hook(lambda _module: instrument(), "opentelemetry.instrumentation.wsgi")


class TenantMiddleware:
    """Sets the tenant of each request that a WSGI app serves.

    The tenant holds until the server has sent the body, in everything that the request starts, and for nothing after it.

    Args:
        app: The WSGI app.
        resolver: Who the tenant is: a resolver of `tracium.frameworks.resolvers`, or a callable, sync or async, that
            takes the WSGI environ and gives a tenant id or None.
        missing: What to do where it gives None: `allow`, or `reject` with 401; or a callable that takes the same and gives
            one of both, to let health checks through.
        default: The tenant of the telemetry of such requests as long as none is set in them, such as `anonymous`.

    Raises:
        SettingError: A value that is not allowed; the message says what is.
    """

    def __init__(
        self, app: WsgiCall, resolver: AnyResolver, *, missing: MissingPolicy = "allow", default: str | None = None
    ) -> None:
        self.app = app
        self._policy = Policy(resolver, missing, default)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        return serve_wsgi(self._serve, environ, start_response)

    def _serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        found = self._policy.ask(WsgiRequest(environ, environ))
        refusal = self._policy.settle(finish(found) if isawaitable(found) else found, environ)
        return self.app(environ, start_response) if refusal is None else _refuse(refusal, start_response)


def finish(found: Awaitable[str | None]) -> str | None:
    """Wait for an async resolver where no event loop runs."""

    async def wait() -> str | None:
        return await found

    return asyncio.run(wait())


def _refuse(refusal: Refusal, start_response: StartResponse) -> Iterable[bytes]:
    body = json.dumps(refusal.body).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *refusal.headers.items()]
    start_response(f"{refusal.status} {HTTPStatus(refusal.status).phrase}", headers)
    return [body]
