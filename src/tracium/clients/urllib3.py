"""urllib3, and what sends by it: the tenant goes along with requests to hosts inside, and to no others.

It is written where a pool hands one request to one connection: below redirects, retries and every instrumentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from urllib3._collections import HTTPHeaderDict  # where 1.26 has it too
from urllib3.util import parse_url
from wrapt import wrap_function_wrapper

from tracium.boundary.trust import is_inside
from tracium.clients.headers import settled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import MeterProvider

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

# The places of the URL and the headers among the arguments.
_URL: Final = 2
_HEADERS: Final = 4
# How a connection gets its socket.
_CONNECTING: Final = ("connect", "_new_conn")


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Apply OpenTelemetry's instrumentor, unless the app has done so."""
    from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor  # noqa: PLC0415 - tenants need it not

    instrumentor: Any = URLLib3Instrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True, meter_provider=meter_provider)


def _let_go() -> None:
    """Let the tenant go along; also where nothing makes spans, or the app does so itself."""
    wrap_function_wrapper("urllib3.connectionpool", "HTTPConnectionPool._make_request", _make_request)


def _make_request(make: Call, pool: Any, args: Args, kwargs: KwArgs) -> Any:
    kind = type(args[0])
    if kind.__module__.startswith("botocore."):
        # It has signed its headers by now: what goes along was settled before.
        return make(*args, **kwargs)
    given: Mapping[str, str] = (args[_HEADERS] if len(args) > _HEADERS else kwargs.get("headers")) or {}
    right = settled(given.items(), lambda: _host(pool, kind, args[_URL]))
    if right is None:
        return make(*args, **kwargs)
    headers = HTTPHeaderDict(right)
    if len(args) > _HEADERS:
        return make(*args[:_HEADERS], headers, *args[_HEADERS + 1 :], **kwargs)
    return make(*args, **{**kwargs, "headers": headers})


def _host(pool: Any, kind: type, url: str) -> str | None:
    """Where the request goes, behind a proxy too."""
    if not all(getattr(kind, name).__module__.startswith("urllib3.") for name in _CONNECTING):
        # It connects by itself: to a Unix socket, or to what its app knows.
        return None
    if url.startswith("/") or "://" not in url.partition("?")[0]:
        return str(pool.host)
    if not is_inside(pool.host):
        # A proxy, which reads everything where there is no TLS.
        return None
    host = parse_url(url).host
    return host if pool.proxy is not None or host == pool.host else None


_let_go()
