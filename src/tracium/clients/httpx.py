"""httpx and httpx2: the tenant goes along with requests to hosts inside, and to no others.

They send by httpcore and httpcore2, which is where the tenant is written: below redirects and every instrumentation, and
so that no request or response that the app sees has it. What is sent by transports of other kinds never gets it.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from wrapt import register_post_import_hook, wrap_function_wrapper

from tracium.boundary.trust import is_inside
from tracium.clients.headers import settled, strip_outside

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from opentelemetry.metrics import MeterProvider

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

# A client library, and what it sends by.
_SENDS_BY: Final = {"httpx": "httpcore", "httpx2": "httpcore2"}


# Instrumentors that shall be applied, and the meter provider of each. The module that has them imports both client
# libraries first.
_wanted: Final[dict[str, MeterProvider | None]] = {}


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Apply OpenTelemetry's instrumentor of httpx, unless the app has done so."""
    apply("HTTPXClientInstrumentor", meter_provider)


def apply(name: str, meter_provider: MeterProvider | None) -> None:
    """Apply OpenTelemetry's instrumentor of this name, now, or when the import of its module is through."""
    _wanted[name] = meter_provider
    _apply_wanted()


def _apply_wanted() -> None:
    from opentelemetry.instrumentation import httpx as instrumentors  # noqa: PLC0415 - tenants need it not

    for name in [name for name in tuple(_wanted) if hasattr(instrumentors, name)]:
        meter_provider = _wanted.pop(name, None)
        instrumentor: Any = getattr(instrumentors, name)()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(skip_dep_check=True, meter_provider=meter_provider)


def _let_go() -> None:
    """Let the tenant go along; also where nothing makes spans, or the app does so itself."""
    for client, core in _SENDS_BY.items():
        register_post_import_hook(_patch_client, client)
        register_post_import_hook(_patch_core, core)


def _patch_core(module: ModuleType) -> None:
    wrap_function_wrapper(module, "ConnectionPool.handle_request", _handle)
    wrap_function_wrapper(module, "AsyncConnectionPool.handle_async_request", _handle)


def _patch_client(module: ModuleType) -> None:
    wrap_function_wrapper(module, "Client._send_single_request", _send)
    wrap_function_wrapper(module, "AsyncClient._send_single_request", _send)


def _handle(handle: Call, pool: Any, args: Args, kwargs: KwArgs) -> Any:
    """Send one request to one host; for the asynchronous ones this gives what is awaited."""
    request = args[0] if args else kwargs["request"]
    right = settled(request.headers, lambda: _host(pool, request))
    if right is not None:
        request = copy.copy(request)
        request.headers = right
    return handle(request)


def _host(pool: Any, request: Any) -> str | None:
    """Where the request goes, behind a proxy too."""
    by_itself = not type(pool._network_backend).__module__.startswith("httpcore")  # noqa: SLF001 - there is no public way
    if by_itself or pool._uds is not None:  # noqa: SLF001
        return None
    proxy = getattr(pool, "_proxy_url", None)
    if proxy is not None and request.url.scheme != b"https" and not is_inside(proxy.host.decode("latin-1")):
        # Without TLS, a proxy reads everything.
        return None
    host: bytes = request.url.host
    return host.decode("latin-1")


def _send(send: Call, _client: object, args: Args, kwargs: KwArgs) -> Any:
    """Send one request by whatever transport is mounted, also after a redirect."""
    if _wanted:
        _apply_wanted()
    request = args[0] if args else kwargs["request"]
    strip_outside(request.headers, lambda: request.url.host)
    return send(*args, **kwargs)


_let_go()
