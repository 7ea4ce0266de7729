"""requests: the tenant goes along with requests to hosts inside, and to no others.

It sends by urllib3, which is where the tenant is written: so no request or response that the app sees has it. What is
sent by adapters of other kinds never gets it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from requests import Session
from wrapt import wrap_function_wrapper

import tracium.clients.urllib3  # noqa: F401 - the tenant is written there
from tracium.clients.headers import strip_outside

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import MeterProvider

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Apply OpenTelemetry's instrumentor, unless the app has done so."""
    from opentelemetry.instrumentation.requests import RequestsInstrumentor  # noqa: PLC0415 - tenants need it not

    instrumentor: Any = RequestsInstrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True, meter_provider=meter_provider)


def _strip() -> None:
    """Let no adapter send a tenant outside."""
    # Around an instrumentation that the app applied before, it would be taken off in that one's stead.
    if not hasattr(Session.send, "opentelemetry_instrumentation_requests_applied"):
        wrap_function_wrapper("requests.sessions", "Session.send", _send)


def _send(send: Call, _session: object, args: Args, kwargs: KwArgs) -> Any:
    """Send one request, also after a redirect."""
    request = args[0] if args else kwargs.get("request")
    headers = getattr(request, "headers", None)
    if headers is not None:
        strip_outside(headers, lambda: urlsplit(request.url).hostname)  # type: ignore[union-attr] # it has headers
    return send(*args, **kwargs)


_strip()
