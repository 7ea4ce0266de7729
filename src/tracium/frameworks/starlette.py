"""Starlette: every app is instrumented before its first request, and the tenant of each request.

Its instrumentor puts another class into the place of `starlette.applications.Starlette`, which an app that imported it
before does not have, and puts its middleware inside those that are added later, so that they run before the server span.
"""

from __future__ import annotations

import sys
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from tracium.exceptions import MissingExtraError
from tracium.frameworks import asgi
from tracium.frameworks.arrival import ARRIVED
from tracium.frameworks.entry import enter_asgi, is_part_of_another

try:
    from starlette import applications
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import JSONResponse
except ImportError as error:
    raise MissingExtraError("tracium.frameworks.starlette needs Starlette: pip install starlette") from error

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from opentelemetry.metrics import MeterProvider

    from tracium.frameworks.entry import Receive, Scope, Send
    from tracium.frameworks.policy import Refusal


# Starlette's own class, where an instrumentation may have put another.
Starlette = next(kind for kind in applications.Starlette.__mro__ if kind.__module__ == applications.__name__)


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Instrument every Starlette app before its first request, and let its requests arrive."""
    from opentelemetry.instrumentation.starlette import StarletteInstrumentor  # noqa: PLC0415 - the middleware needs it not

    def prepare(app: Any, scope: MutableMapping[str, Any]) -> None:
        if getattr(app, "_is_instrumented_by_opentelemetry", False) or _is_fastapi(app):
            return
        if ARRIVED in scope and is_part_of_another():
            return
        # An app that has begun to serve takes no middleware.
        built, app.middleware_stack = app.middleware_stack, None
        StarletteInstrumentor.instrument_app(app, meter_provider=meter_provider)
        if built is not None:
            kind, args, kwargs = app.user_middleware[0]
            app.middleware_stack = kind(built, *args, **kwargs)

    asgi.instrument()
    enter_asgi(Starlette, prepare)


# Also where `tracium.trace()` does not: the app may be instrumented by hand, around the middleware below.
enter_asgi(Starlette)


class TenantMiddleware(asgi.TenantMiddleware):
    """Sets the tenant of each HTTP request and websocket of a Starlette app.

    `app.add_middleware(TenantMiddleware, resolver=from_header("X-Tenant-ID", known=…))`. The options are those of
    `tracium.frameworks.asgi.TenantMiddleware`; a callable is given the request (of a websocket, the `HTTPConnection`).
    A request that is refused is answered by the app's own handler of `HTTPException`, if it has one.
    """

    error: type[HTTPException] = HTTPException

    def _native(self, scope: Scope) -> object:
        return Request(scope) if scope["type"] == "http" else HTTPConnection(scope)

    async def _refuse(self, refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        error = self.error(refusal.status, refusal.sentence, refusal.headers)
        handler = _handler_of(scope.get("app"), error) if scope["type"] == "http" else None
        if handler is None:
            response: Any = JSONResponse(refusal.body, refusal.status, refusal.headers)
        else:
            response = await run_in_threadpool(handler, Request(scope, receive), error)
            response = await response if isawaitable(response) else response
        await response(scope, receive, send)


def _handler_of(app: object, error: HTTPException) -> Any:
    """The app's own way to answer `error`; one for every `Exception` is for faults of the server."""
    handlers = getattr(app, "exception_handlers", {})
    if error.status_code in handlers:
        return handlers[error.status_code]
    kinds = (kind for kind in type(error).__mro__ if issubclass(kind, HTTPException))
    return next((handlers[kind] for kind in kinds if kind in handlers), None)


def _is_fastapi(app: object) -> bool:
    module = sys.modules.get("fastapi")
    return module is not None and isinstance(app, module.applications.FastAPI)
