"""Where a server hands a request to an app: there it arrives, and there it is over.

The classes whose instances servers call get an arrival around their `__call__`. It catches every app of the class, also
one that was made before; and because the thread or task has its own context back afterwards, nothing that a request
leaves attached is there for the next one.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import attach, detach, get_current

from tracium.faults import fault
from tracium.frameworks.body import Body, runs_code
from tracium.tenancy.arrival import ARRIVED, Arrival, arrival_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

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
        prepare: What has to be done before an app's requests; it may be given later.

    Returns:
        Whether this was the first time.
    """
    call = _call_to_replace(owner, prepare)
    if call is None:
        return False

    @functools.wraps(call)
    async def entered(self: Any, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in REQUESTS:
            await call(self, scope, receive, send)
            return
        _prepare(entered, self, scope)
        await serve_asgi(functools.partial(call, self), scope, receive, send)

    _replace(owner, entered, prepare)
    return True


async def serve_asgi(app: AsgiCall, scope: Scope, receive: Receive, send: Send) -> None:
    """Call an ASGI app with an http or websocket scope, inside the request's arrival, which begins unless it has.

    Afterwards the context around the call holds again.
    """
    arrival = None if ARRIVED in scope else _arrive(scope)
    token = attach(get_current() if arrival is None else arrival.context)
    try:
        await app(scope, receive, send)
    finally:
        if arrival is not None:
            arrival.close()
        detach(token)


def enter_wsgi(owner: type, prepare: Prepare | None = None) -> bool:
    """Put an arrival around each request that an instance of `owner`, a WSGI app, is called with, once.

    Args:
        owner: A class with a WSGI `__call__`.
        prepare: What has to be done before an app's requests; it may be given later.

    Returns:
        Whether this was the first time.
    """
    call = _call_to_replace(owner, prepare)
    if call is None:
        return False

    @functools.wraps(call)
    def entered(self: Any, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        _prepare(entered, self, environ)
        return serve_wsgi(functools.partial(call, self), environ, start_response)

    _replace(owner, entered, prepare)
    return True


def serve_wsgi(app: WsgiCall, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Call a WSGI app inside the request's arrival, which begins unless it has, and ends when the body is closed.

    After the call, and after each step of the body, the context around it holds again.
    """
    around = get_current()
    if ARRIVED in environ:
        return _call_wsgi(app, environ, start_response, around)
    if _is_inside_asgi(around):
        # An adapter runs this app for a request that has arrived already.
        environ[ARRIVED] = True
        body = _call_wsgi(app, environ, start_response, around)
        return Body(body, around) if runs_code(body, environ) else body
    arrival = _arrive(environ)
    if arrival is None:
        return _call_wsgi(app, environ, start_response, around)
    try:
        body = _call_wsgi(app, environ, start_response, arrival.context)
    except BaseException:
        arrival.close()
        raise
    if runs_code(body, environ):
        return Body(body, arrival.streaming(), arrival.close)
    arrival.close()
    return body


def _call_wsgi(app: WsgiCall, environ: Environ, start_response: StartResponse, context: Context) -> Iterable[bytes]:
    token = attach(context)
    try:
        return app(environ, start_response)
    finally:
        detach(token)


def is_part_of_another() -> bool:
    """Whether the app that is called now serves a request for which another app has made the server span already."""
    arrival = arrival_in(get_current())
    return arrival is not None and arrival.has_span


def _arrive(carrier: MutableMapping[str, Any]) -> Arrival | None:
    try:
        return Arrival(carrier)
    except Exception as error:  # noqa: BLE001 - recording never breaks the app
        fault("taking in a request", error)
        return None


def _prepare(entered: Any, app: object, carrier: MutableMapping[str, Any]) -> None:
    prepare: Prepare | None = getattr(entered, _PREPARE)
    if prepare is not None:
        try:
            prepare(app, carrier)
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            fault("instrumenting an app", error)


def _is_inside_asgi(context: Context) -> bool:
    arrival = arrival_in(context)
    return arrival is not None and arrival.carrier is not None and "type" in arrival.carrier


def _call_to_replace(owner: type, prepare: Prepare | None) -> Callable[..., Any] | None:
    """The class's own or inherited `__call__`, unless it is ours already."""
    call: Any = owner.__call__
    if not hasattr(call, _PREPARE):
        return call  # type: ignore[no-any-return] # classes of apps have one
    if prepare is not None:
        setattr(call, _PREPARE, prepare)
    return None


def _replace(owner: Any, entered: Callable[..., Any], prepare: Prepare | None) -> None:
    setattr(entered, _PREPARE, prepare)
    owner.__call__ = entered
