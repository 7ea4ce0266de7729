"""Where a server hands a request to an app: there it arrives, and there it is over.

The classes whose instances servers call get an arrival around their `__call__`. It catches every app of the class, also
one that was made before; and because the thread or task has its own context back afterwards, nothing that a request
leaves attached is there for the next one.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import attach, detach, get_current
from opentelemetry.trace import INVALID_SPAN, get_current_span

from tracium.faults import fault
from tracium.frameworks.arrival import ARRIVED, WebArrival, web_arrival_in
from tracium.frameworks.body import runs_code, stepped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping

    from opentelemetry.context import Context

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    AsgiCall = Callable[[Scope, Receive, Send], Awaitable[None]]
    Environ = dict[str, Any]
    StartResponse = Callable[..., Any]
    WsgiCall = Callable[[Environ, StartResponse], Iterable[bytes]]
    # Called with the app and the scope or environ before each request.
    Prepare = Callable[[Any, MutableMapping[str, Any]], None]

# The kinds of ASGI scopes that are requests: https://asgi.readthedocs.io/en/latest/specs/www.html
REQUESTS: Final = ("http", "websocket")
# On a `__call__` that is ours: what has to be done before.
_PREPARE: Final = "_tracium_prepare"


def enter_asgi(owner: type, prepare: Prepare | None = None) -> bool:
    """Put an arrival around each request that an instance of `owner`, an ASGI app, is called with, once.

    Args:
        owner: A class with an ASGI `__call__`.
        prepare: What has to be done before an app's lifespan and requests; it may be given later.

    Returns:
        Whether this was the first time.
    """
    call = _to_replace(owner, "__call__", prepare)
    if call is None:
        return False

    @functools.wraps(call)
    async def entered(self: Any, scope: Scope, receive: Receive, send: Send) -> None:
        _prepare(entered, self, scope)
        if scope["type"] in REQUESTS and ARRIVED not in scope:
            await serve_asgi(functools.partial(call, self), scope, receive, send)
        else:
            _follow(scope)
            await call(self, scope, receive, send)

    _replace(owner, "__call__", entered, prepare)
    return True


async def serve_asgi(app: AsgiCall, scope: Scope, receive: Receive, send: Send) -> None:
    """Call an ASGI app with an http or websocket scope, inside the request's arrival, which begins unless it has.

    Afterwards the context around the call holds again.
    """
    around = get_current()
    arrival = _arrive(scope, around)
    token = attach(around if arrival is None else arrival.context)
    try:
        await app(scope, receive, send)
    finally:
        if arrival is not None:
            arrival.close()
        detach(token)


def enter_wsgi(owner: type, prepare: Prepare | None = None, method: str = "__call__") -> bool:
    """Put an arrival around each request that an instance of `owner`, a WSGI app, is called with, once.

    Args:
        owner: A class of WSGI apps.
        prepare: What has to be done before an app's requests; it may be given later.
        method: That of its methods which servers, or what stands around the app, call.

    Returns:
        Whether this was the first time.
    """
    call = _to_replace(owner, method, prepare)
    if call is None:
        return False

    @functools.wraps(call)
    def entered(self: Any, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        _prepare(entered, self, environ)
        if ARRIVED not in environ:
            return serve_wsgi(functools.partial(call, self), environ, start_response)
        _follow(environ)
        return call(self, environ, start_response)  # type: ignore[no-any-return] # a WSGI app's own

    _replace(owner, method, entered, prepare)
    return True


def serve_wsgi(app: WsgiCall, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Call a WSGI app inside the request's arrival, which begins unless it has, and ends when the body is closed.

    After the call, and after each step of the body, the context around it holds again.
    """
    around = get_current()
    inside = ARRIVED in environ
    arrival = _arrive(environ, around)
    try:
        body = _call_wsgi(app, environ, start_response, around if arrival is None else arrival.context)
    except BaseException:
        if arrival is not None:
            arrival.close()
        raise
    if inside:
        return body
    if not runs_code(body, environ):
        if arrival is not None:
            arrival.close()
        return body
    return stepped(body, around) if arrival is None else stepped(body, arrival.streaming(), arrival.close)


def _call_wsgi(app: WsgiCall, environ: Environ, start_response: StartResponse, context: Context) -> Iterable[bytes]:
    token = attach(context)
    try:
        return app(environ, start_response)
    finally:
        detach(token)


def is_part_of_another() -> bool:
    """Whether the app that is called now serves a request for which another app has made the server span already."""
    arrival = web_arrival_in(get_current())
    return arrival is not None and arrival.extracted


def _arrive(carrier: MutableMapping[str, Any], around: Context) -> WebArrival | None:
    """The arrival of a request; None where it has arrived before, or what stands around the app has begun it."""
    try:
        if ARRIVED in carrier:
            _follow(carrier)
            return None
        outer = web_arrival_in(around)
        if outer is None and get_current_span(around) is not INVALID_SPAN:
            return None
        if outer is not None and _adapts(outer.carrier, carrier):
            carrier[ARRIVED] = True
            return None
        return WebArrival(carrier)
    except Exception as error:  # noqa: BLE001 - recording never breaks the app
        fault("taking in a request", error)
        return None


def _follow(carrier: MutableMapping[str, Any]) -> None:
    """Know a copy that something in between has made of what the server handed over."""
    arrival = web_arrival_in(get_current())
    if arrival is not None and not arrival.extracted and ARRIVED in carrier:
        arrival.carrier = carrier


def _adapts(scope: Mapping[str, Any] | None, environ: Mapping[str, Any]) -> bool:
    """Whether an adapter made a WSGI environ of this ASGI scope, so that both are one request."""
    if scope is None or "type" not in scope or "REQUEST_METHOD" not in environ:
        return False
    whole = (
        str(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8", "replace")
    )
    same: bool = environ["REQUEST_METHOD"] == scope.get("method")
    return same and str(scope.get("path")).endswith(whole or "/")


def _prepare(entered: Any, app: object, carrier: MutableMapping[str, Any]) -> None:
    prepare: Prepare | None = getattr(entered, _PREPARE)
    if prepare is not None:
        try:
            prepare(app, carrier)
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            fault("instrumenting an app", error)


def _to_replace(owner: type, method: str, prepare: Prepare | None) -> Callable[..., Any] | None:
    """The class's own or inherited method, unless it is ours already."""
    call: Any = getattr(owner, method)
    if not hasattr(call, _PREPARE):
        return call  # type: ignore[no-any-return] # classes of apps have one
    if prepare is not None:
        setattr(call, _PREPARE, prepare)
    return None


def _replace(owner: Any, method: str, entered: Callable[..., Any], prepare: Prepare | None) -> None:
    setattr(entered, _PREPARE, prepare)
    setattr(owner, method, entered)
