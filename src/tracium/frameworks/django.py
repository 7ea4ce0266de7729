"""Django, WSGI and ASGI: every handler is instrumented when it loads its middleware, and the tenant of each request.

Its instrumentor changes `settings.MIDDLEWARE`, and configures empty settings for good where there are none yet. Here it is
applied when a handler reads them: then they are there, and a handler that has read them before reads them once more.
"""

from __future__ import annotations

import copy
import sys
import threading
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.context import attach, detach, get_current
from wrapt import wrap_function_wrapper

from tracium.exceptions import MissingExtraError, SettingError
from tracium.faults import fault
from tracium.frameworks.arrival import web_arrival_in
from tracium.frameworks.entry import enter_asgi, enter_wsgi
from tracium.frameworks.incoming import WsgiRequest, plain_host
from tracium.frameworks.policy import Policy
from tracium.tenancy.attachment import restore

try:
    from asgiref.sync import async_to_sync, iscoroutinefunction, markcoroutinefunction
    from django.conf import settings
    from django.core.exceptions import DisallowedHost
    from django.http import HttpResponse, JsonResponse
    from django.utils.module_loading import import_string
except ImportError as error:
    raise MissingExtraError("tracium.frameworks.django needs Django: pip install django") from error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from django.http import HttpRequest
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span

    from tracium.frameworks.entry import Prepare

_LOADED: Final = "_tracium_loaded"
_loading: Final = threading.Lock()
# Whether handlers are instrumented, and not only seen.
_instruments = False
# What their metrics go to; None is the global one.
_meter_provider: MeterProvider | None = None
_RESOLVER: Final = "TRACIUM_TENANT_RESOLVER"
_MISSING: Final = "TRACIUM_TENANT_MISSING"
_DEFAULT: Final = "TRACIUM_TENANT_DEFAULT"


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Instrument every handler when it loads its middleware, or before its next request."""
    global _instruments, _meter_provider
    _instruments, _meter_provider = True, meter_provider
    _let_arrive(_load_again)


class TenantMiddleware:
    """Sets the tenant of each request: `MIDDLEWARE = ["tracium.frameworks.django.TenantMiddleware", …]`.

    It serves sync and async handlers. The tenant holds until the server has sent the response, streamed ones too, and for
    nothing after it. It is configured in the settings:

    * `TRACIUM_TENANT_RESOLVER`: a resolver of `tracium.frameworks.resolvers`, or a callable, sync or async, that takes the
      request and gives a tenant id or None; or the dotted path of one.
    * `TRACIUM_TENANT_MISSING`: what to do where it gives None: `allow` (default), or `reject` with 401; or a callable that
      takes the request and gives one of both, or the dotted path of one.
    * `TRACIUM_TENANT_DEFAULT`: the tenant of the telemetry of such requests as long as none is set in them.

    Raises:
        SettingError: A value that is not allowed; the message says what is.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        self._policy = _policy()
        # For streams, also where `tracium.trace()` does not instrument Django.
        _let_arrive()
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """The response, or for an async handler what awaits it."""
        return self._respond(request) if self._is_async else self._respond_now(request)

    async def _respond(self, request: HttpRequest) -> HttpResponse:
        token = attach(get_current())
        try:
            found = self._policy.ask(_DjangoRequest(request, in_event_loop=True))
            refused = self._refused(await found if isawaitable(found) else found, request)
            return await self.get_response(request) if refused is None else refused
        finally:
            detach(token)

    def _respond_now(self, request: HttpRequest) -> HttpResponse:
        token = attach(get_current())
        try:
            found = self._policy.ask(_DjangoRequest(request, in_event_loop=False))
            refused = self._refused(_finish(found) if isawaitable(found) else found, request)
            return self.get_response(request) if refused is None else refused
        finally:
            detach(token)

    def _refused(self, found: object, request: HttpRequest) -> HttpResponse | None:
        refusal = self._policy.settle(found, request)
        return None if refusal is None else JsonResponse(refusal.body, status=refusal.status, headers=refusal.headers)


class _DjangoRequest(WsgiRequest):
    """Django gives ASGI requests the names of WSGI, and decodes paths itself."""

    def __init__(self, request: HttpRequest, *, in_event_loop: bool) -> None:
        super().__init__(request.META, request)
        self.in_event_loop = in_event_loop
        self._request = request

    @property
    def path(self) -> str:
        path: str = self._request.path
        return path

    @property
    def host(self) -> str | None:
        """What Django takes for it, by `ALLOWED_HOSTS` and `USE_X_FORWARDED_HOST`."""
        try:
            return plain_host(self._request.get_host())
        except DisallowedHost:
            return None


def _policy() -> Policy:
    resolver = getattr(settings, _RESOLVER, None)
    if resolver is None:
        raise SettingError(
            f"{_RESOLVER} is not set, so that tracium.frameworks.django.TenantMiddleware cannot know the tenant. Set it to a "
            "resolver such as from_header('X-Tenant-ID', known=…), to a callable, or to the dotted path of one."
        )
    missing: Any = getattr(settings, _MISSING, "allow")
    return Policy(
        _imported(_RESOLVER, resolver),
        _imported(_MISSING, missing) if "." in str(missing) else missing,
        getattr(settings, _DEFAULT, None),
    )


def _imported(name: str, value: Any) -> Any:
    try:
        return import_string(value) if isinstance(value, str) else value
    except ImportError as error:
        raise SettingError(f"{name} is {value!r}, which cannot be imported: {error}") from error


def _finish(found: Awaitable[str | None]) -> str | None:
    async def wait() -> str | None:
        return await found

    return async_to_sync(wait)()


def _load(load: Callable[..., None], handler: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        _let_arrive()
        if _instruments:
            _let_arrive(_load_again)
            _instrument_settings()
    except Exception as error:  # noqa: BLE001 - recording never breaks the app
        fault("instrumenting Django", error)
    setattr(handler, _LOADED, True)
    load(*args, **kwargs)


def _instrument_settings() -> None:
    """Put the instrumentation's middleware first, once; the settings are there, because a handler reads them."""
    from opentelemetry.instrumentation.django import DjangoInstrumentor  # noqa: PLC0415 - it needs complete handlers
    from opentelemetry.instrumentation.django.middleware.otel_middleware import (  # noqa: PLC0415 - as above
        _DjangoMiddleware,
    )

    instrumentor, middleware = DjangoInstrumentor(), cast("Any", _DjangoMiddleware)
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True, request_hook=_see_span, meter_provider=_meter_provider)
    elif middleware._otel_request_hook is None:  # noqa: SLF001 - the app has instrumented Django by itself
        middleware._otel_request_hook = staticmethod(_see_span)  # noqa: SLF001
    if not hasattr(middleware, _LOADED):
        setattr(middleware, _LOADED, True)
        wrap_function_wrapper(middleware, "__call__", _end_span)


def _end_span(call: Callable[..., Any], middleware: Any, args: Any, kwargs: Any) -> Any:
    """End the span of a request that is given up: the instrumentation does so for responses only."""
    try:
        return call(*args, **kwargs)
    except BaseException as error:
        _give_up(args[0].META, middleware, error)
        raise


def _give_up(meta: dict[str, Any], middleware: Any, error: BaseException) -> None:
    try:
        activation = meta.pop(middleware._environ_activation_key, None)  # noqa: SLF001 - where the instrumentation keeps it
        token = meta.pop(middleware._environ_token, None)  # noqa: SLF001
        if activation is not None:
            activation.__exit__(type(error), error, error.__traceback__)
        if token is not None:
            restore(token)
    except Exception as ours:  # noqa: BLE001 - the app's own exception goes on unchanged
        fault("ending the span of a request that is given up", ours)


def _see_span(span: Span, request: HttpRequest) -> None:  # noqa: ARG001 - the signature of a hook
    arrival = web_arrival_in(get_current())
    if arrival is not None:
        arrival.span = span


def _load_again(handler: Any, carrier: MutableMapping[str, Any]) -> None:
    """Let a handler that loaded its middleware before it could be instrumented load it once more.

    It is loaded on a copy: a handler that is being called would skip what checks the request meanwhile.
    """
    if getattr(handler, _LOADED, False) or hasattr(handler, "handles_files"):
        # A handler of static files has no middleware of its own.
        return
    with _loading:
        if getattr(handler, _LOADED, False):
            return
        loaded = copy.copy(handler)
        try:
            loaded.load_middleware(**({"is_async": True} if "type" in carrier else {}))
            handler._middleware_chain = loaded._middleware_chain  # noqa: SLF001 - one step, so that no request sees half of it
        finally:
            setattr(handler, _LOADED, True)


def _let_arrive(prepare: Prepare | None = None) -> None:
    """Let requests arrive at the handlers that there are; a module that is being imported right now has none yet."""
    for name, enter in (("WSGIHandler", enter_wsgi), ("ASGIHandler", enter_asgi)):
        module = sys.modules.get(f"django.core.handlers.{name[:4].lower()}")
        handler = getattr(module, name, None)
        if handler is not None and enter(handler, prepare) and enter is enter_asgi:
            wrap_function_wrapper(module, "ASGIHandler.send_response", _send_response)


async def _send_response(send: Callable[..., Awaitable[None]], handler: Any, args: Any, kwargs: Any) -> None:  # noqa: ARG001 - wrapt's signature
    """Send a response, whose body may run now, in the context of its request, which the middleware has left already."""
    arrival = web_arrival_in(get_current())
    token = attach(get_current() if arrival is None else arrival.streaming())
    try:
        await send(*args, **kwargs)
    finally:
        detach(token)


# Handlers read their middleware when they are made. Requests arrive also where `tracium.trace()` does not instrument Django.
wrap_function_wrapper("django.core.handlers.base", "BaseHandler.load_middleware", _load)
_let_arrive()
