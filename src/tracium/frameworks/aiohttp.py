"""aiohttp's server: every app is instrumented before its first request, and each request is one of its own.

Its instrumentor puts another class into the place of `web.Application`: an app that did `from aiohttp.web import
Application` before gets no span then, one with a tuple of middlewares cannot be made, and a request to an app within an app
has two server spans. Here its middleware is put into the apps as they are.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from opentelemetry.context import attach, get_current
from opentelemetry.trace import get_current_span
from wrapt import wrap_function_wrapper

from tracium.faults import fault
from tracium.frameworks.arrival import WebArrival, web_arrival_in
from tracium.frameworks.entry import is_part_of_another
from tracium.tenancy.attachment import restore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[Any], Awaitable[Any]]
    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

_INSTRUMENTOR: Final = "opentelemetry.instrumentation.aiohttp_server"
# The place of what handles a request, among the arguments of aiohttp's own.
_HANDLER: Final = 2


def instrument() -> None:
    """Instrument every aiohttp app before its first request, unless the app has done so itself."""
    from opentelemetry.instrumentation import aiohttp_server  # noqa: PLC0415 - requests are kept apart without it

    instrumentor: Any = aiohttp_server.AioHttpServerInstrumentor()
    if instrumentor.is_instrumented_by_opentelemetry:
        return
    plain = web.Application
    with warnings.catch_warnings():
        # aiohttp does not want its class to be inherited from.
        warnings.simplefilter("ignore", DeprecationWarning)
        instrumentor.instrument(skip_dep_check=True)
    web.Application = plain  # type: ignore[misc] # put back
    middleware = _once(aiohttp_server.create_aiohttp_middleware())

    def freeze(pre_freeze: Call, app: Any, args: Args, kwargs: KwArgs) -> None:
        try:
            _add(app, middleware)
        except Exception as error:  # noqa: BLE001 - the app serves all the same
            fault("instrumenting an aiohttp app", error)
        pre_freeze(*args, **kwargs)

    wrap_function_wrapper("aiohttp.web_app", "Application.pre_freeze", freeze)


class _AiohttpArrival(WebArrival):
    """A request that arrives at an aiohttp server.

    Args:
        request: As aiohttp made it.
    """

    __slots__ = ("_request",)

    def __init__(self, request: Any) -> None:
        self._request: Any = request
        transport = request.transport
        carrier = {
            "type": "http",
            "headers": request.raw_headers,
            "client": None if transport is None else transport.get_extra_info("peername"),
            "server": None if transport is None else transport.get_extra_info("sockname"),
        }
        super().__init__(carrier)

    def brings(self, carrier: object) -> bool:
        """Whether `carrier` is this request, or a copy of it."""
        return self._request is not None and (
            carrier is self._request or getattr(carrier, "headers", None) is self._request.headers
        )

    def close(self) -> None:
        """Note that the response is complete."""
        super().close()
        self._request = None


async def _handle(handle: Call, _protocol: object, args: Args, kwargs: KwArgs) -> Any:
    """Handle one request, and send what the handler returned: the app's code may run there too."""
    arrival = _arrive(args)
    if arrival is None:
        return await handle(*args, **kwargs)
    token = attach(arrival.context)
    try:
        return await handle(*args[:_HANDLER], _followed(args[_HANDLER], arrival), *args[_HANDLER + 1 :], **kwargs)
    finally:
        arrival.close()
        restore(token)


def _arrive(args: Args) -> WebArrival | None:
    try:
        request, _, _ = args
        return _AiohttpArrival(request)
    except Exception as error:  # noqa: BLE001 - the request is answered all the same
        fault("taking in a request", error)
        return None


def _followed(handler: Handler, arrival: WebArrival) -> Handler:
    """What the handler leaves to be sent is sent below the request's span."""

    async def handle(request: Any) -> Any:
        try:
            return await handler(request)
        finally:
            attach(arrival.streaming())

    return handle


def _once(middleware: Any) -> Any:
    """The instrumentation's middleware for the outermost app of a request; it notes the span that it makes."""

    @web.middleware
    async def trace(request: Any, handler: Handler) -> Any:
        if is_part_of_another():
            return await handler(request)
        return await middleware(request, _seen(handler))

    return trace


def _seen(handler: Handler) -> Handler:
    async def handle(request: Any) -> Any:
        arrival = web_arrival_in(get_current())
        if arrival is not None and arrival.extracted:
            arrival.span = get_current_span()
        return await handler(request)

    return handle


def _add(app: Any, middleware: Any) -> None:
    """Put `middleware` before all others of `app`, unless it is there or the app has one of OpenTelemetry's."""
    known = app.middlewares
    if app.pre_frozen or middleware in known or any(each.__module__ == _INSTRUMENTOR for each in known):
        return
    known.insert(0, middleware)


# Also where `tracium.trace()` does not: requests are kept apart wherever nothing makes spans, or the app does so itself.
wrap_function_wrapper("aiohttp.web_protocol", "RequestHandler._handle_request", _handle)
