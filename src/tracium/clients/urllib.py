"""The standard library's `urllib.request`: the tenant goes along with requests to hosts inside, and to no others.

It is written where a handler makes the connection for one request: below redirects and every instrumentation.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from wrapt import wrap_function_wrapper

from tracium.boundary.trust import is_inside
from tracium.clients.headers import settled

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.request import Request

    from opentelemetry.metrics import MeterProvider

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Apply OpenTelemetry's instrumentor, unless the app has done so."""
    from opentelemetry.instrumentation.urllib import URLLibInstrumentor  # noqa: PLC0415 - tenants need it not

    instrumentor: Any = URLLibInstrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True, meter_provider=meter_provider)


def _let_go() -> None:
    """Let the tenant go along; also where nothing makes spans, or the app does so itself."""
    wrap_function_wrapper("urllib.request", "AbstractHTTPHandler.do_open", _do_open)


def _do_open(do_open: Call, _handler: object, args: Args, kwargs: KwArgs) -> Any:
    named = dict(zip(("http_class", "req"), args, strict=False)) | kwargs
    connection, request = named.pop("http_class"), named.pop("req")
    # Of two headers of one name, one that does not follow a redirect counts.
    given = {**request.headers, **request.unredirected_hdrs}
    right = settled(given.items(), lambda: _host(connection, request))
    if right is not None:
        # The app's own request may be sent again, to another host.
        request = copy.copy(request)
        request.headers, request.unredirected_hdrs = {}, dict(right)
    return do_open(connection, request, **named)


def _host(connection: Any, request: Request) -> str | None:
    """Where the request goes, behind a proxy too."""
    if getattr(getattr(connection, "connect", None), "__module__", None) != "http.client":
        # It connects by itself: to a Unix socket, or to what its app knows.
        return None
    through_tls = bool(getattr(request, "_tunnel_host", None))
    if any(mark in request.host for mark in "/?#@\\"):
        # It is connected to as it stands, and not the host that a URL would have.
        return None
    connected = urlsplit(f"//{request.host}").hostname
    if through_tls or (request.has_proxy() and is_inside(connected)):
        return urlsplit(request.full_url).hostname
    # Without TLS, a proxy reads everything.
    return None if request.has_proxy() else connected


_let_go()
