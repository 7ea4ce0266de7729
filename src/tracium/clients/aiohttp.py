"""aiohttp's client: the tenant goes along with requests to hosts inside, and to no others.

It is written where one request is sent over one connection: below redirects, middlewares and every instrumentation. The
request is aiohttp's own, made anew for each host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import ClientRequest, TCPConnector
from wrapt import wrap_function_wrapper

from tracium.boundary.outgoing import settle
from tracium.boundary.trust import is_inside

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import MeterProvider

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Apply OpenTelemetry's instrumentor, unless the app has done so."""
    from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor  # noqa: PLC0415 - as elsewhere

    instrumentor: Any = AioHttpClientInstrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True, meter_provider=meter_provider)


def _let_go() -> None:
    """Let the tenant go along; also where nothing makes spans, or the app does so itself."""
    wrap_function_wrapper(ClientRequest, "send", _send)


def _send(send: Call, request: Any, args: Args, kwargs: KwArgs) -> Any:
    connection = args[0] if args else kwargs.get("conn")
    settle(request.headers, _host(request, connection))
    return send(*args, **kwargs)


def _host(request: Any, connection: Any) -> str | None:
    # Over a Unix socket, a URL has any host.
    over_tcp = isinstance(getattr(connection, "_connector", None), TCPConnector)
    # A CONNECT is for the proxy, though it has the URL of what lies behind it.
    if not over_tcp or request.method == "CONNECT":
        return None
    # Without TLS, a proxy reads everything.
    if request.proxy is not None and request.url.scheme != "https" and not is_inside(request.proxy.raw_host):
        return None
    host: str | None = request.url.raw_host
    return host


_let_go()
