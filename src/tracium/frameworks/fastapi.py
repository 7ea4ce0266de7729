"""FastAPI: one server span a request, whoever makes it, and the tenant of each request.

From 0.165 on FastAPI makes its spans itself. Before, its instrumentor puts another class into the place of
`fastapi.FastAPI`, which an app that imported it before does not have; so apps are instrumented before their first request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracium.exceptions import MissingExtraError
from tracium.frameworks import asgi
from tracium.frameworks.arrival import ARRIVED
from tracium.frameworks.entry import enter_asgi, is_part_of_another

try:
    from fastapi import HTTPException

    # Not from `fastapi`, where an instrumentation may have put another class.
    from fastapi.applications import FastAPI
except ImportError as error:
    raise MissingExtraError("tracium.frameworks.fastapi needs FastAPI: pip install fastapi") from error

from tracium.frameworks import starlette

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from opentelemetry.metrics import MeterProvider

# Where FastAPI keeps its own telemetry of a request; what is there already, it leaves alone.
_NATIVE = "fastapi.telemetry"


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Let the requests of every FastAPI app arrive; instrument apps that make no spans themselves."""
    try:
        import fastapi.telemetry  # noqa: PLC0415, F401 - from 0.165 on
    except ImportError:
        _instrument_apps(meter_provider)
    else:
        enter_asgi(FastAPI, _keep_to_one_span)


# Also where `tracium.trace()` does not: FastAPI makes its spans itself, or is instrumented by hand.
enter_asgi(FastAPI)


class TenantMiddleware(starlette.TenantMiddleware):
    """Sets the tenant of each HTTP request and websocket of a FastAPI app.

    `app.add_middleware(TenantMiddleware, resolver=from_header("X-Tenant-ID", known=…))`. The options are those of
    `tracium.frameworks.asgi.TenantMiddleware`; a callable is given the request (of a websocket, the `HTTPConnection`).
    A request that is refused is answered by the app's own handler of `HTTPException`.
    """

    error = HTTPException


def _keep_to_one_span(app: object, scope: MutableMapping[str, Any]) -> None:  # noqa: ARG001 - the signature of a preparation
    """Let an app that is a part of another one make no second server span."""
    if ARRIVED in scope and _NATIVE not in scope and is_part_of_another():
        scope[_NATIVE] = None


def _instrument_apps(meter_provider: MeterProvider | None) -> None:
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor  # noqa: PLC0415 - not where FastAPI does it

    def prepare(app: Any, scope: MutableMapping[str, Any]) -> None:
        if getattr(app, "_is_instrumented_by_opentelemetry", False) or (ARRIVED in scope and is_part_of_another()):
            return
        built = app.middleware_stack
        if built is not None:
            # An app that has begun to serve keeps what it has made, with the instrumentation around it.
            app.build_middleware_stack = lambda: built
        FastAPIInstrumentor.instrument_app(app, meter_provider=meter_provider)
        if built is not None:
            app.middleware_stack = app.build_middleware_stack()

    asgi.instrument()
    enter_asgi(FastAPI, prepare)
