"""Flask: every app is instrumented when it is made or before its first request, and the tenant of each request.

Its instrumentor puts another class into the place of `flask.Flask`. An app that did `from flask import Flask` before gets
no span then, and `flask run` does not find it any more, because it is no instance of the new class.
"""

from __future__ import annotations

import threading
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import get_current
from opentelemetry.trace import get_current_span
from wrapt import wrap_function_wrapper

from tracium.exceptions import MissingExtraError
from tracium.faults import fault
from tracium.frameworks.arrival import web_arrival_in
from tracium.frameworks.entry import enter_wsgi
from tracium.frameworks.incoming import WsgiRequest
from tracium.frameworks.policy import Policy
from tracium.frameworks.wsgi import finish

try:
    from flask import abort, request

    # Not from `flask`, where an instrumentation may have put another class.
    from flask.app import Flask
    from werkzeug.datastructures import WWWAuthenticate
except ImportError as error:
    raise MissingExtraError("tracium.frameworks.flask needs Flask: pip install flask") from error

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from opentelemetry.metrics import MeterProvider

    from tracium.frameworks.entry import Prepare
    from tracium.frameworks.policy import MissingPolicy
    from tracium.frameworks.resolvers import AnyResolver

_instrumenting: Final = threading.Lock()
# In an app's `extensions`: its spans are seen.
_SEEN: Final = "tracium.spans"


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Instrument every Flask app before its first request, and let its requests arrive."""
    from opentelemetry.instrumentation.flask import FlaskInstrumentor  # noqa: PLC0415 - the extension needs it not

    def instrument_app(app: Flask) -> None:
        FlaskInstrumentor.instrument_app(app, meter_provider=meter_provider)  # type: ignore[no-untyped-call] # contrib's

    def prepare(app: Any, environ: MutableMapping[str, Any]) -> None:  # noqa: ARG001 - the signature of a preparation
        if _SEEN not in app.extensions:
            _instrument_app(instrument_app, app)

    def make_and_instrument(make: Callable[..., None], app: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        make(*args, **kwargs)
        if not any(kind.__module__.startswith("opentelemetry.") for kind in type(app).__mro__):
            # Before the app's `wsgi_app` is wrapped, or handed to a server by itself. (A class that somebody has put into
            # the place of Flask's does it now.)
            try:
                _instrument_app(instrument_app, app)
            except Exception as error:  # noqa: BLE001 - the app is made all the same
                fault("instrumenting a Flask app", error)

    _let_arrive(prepare)
    wrap_function_wrapper(Flask, "__init__", make_and_instrument)


def _let_arrive(prepare: Prepare | None = None) -> None:
    # Servers call the app; what is wrapped around its `wsgi_app` may be what they are given.
    enter_wsgi(Flask, prepare)
    enter_wsgi(Flask, prepare, "wsgi_app")


# Also where `tracium.trace()` does not: the app may be instrumented by hand, around the middleware below.
_let_arrive()


class TenantMiddleware:
    """Sets the tenant of each request of a Flask app: an extension.

    The tenant holds until the server has sent the body, streamed ones too, and for nothing after it. A request that is
    refused is answered by the app's own error handler, if it has one.

    Args:
        app: The app, or None to name it later with `init_app`.
        resolver: Who the tenant is: a resolver of `tracium.frameworks.resolvers`, or a callable, sync or async, that
            takes the request and gives a tenant id or None.
        missing: What to do where it gives None: `allow`, or `reject` with 401; or a callable that takes the same and gives
            one of both, to let health checks through.
        default: The tenant of the telemetry of such requests as long as none is set in them, such as `anonymous`.

    Raises:
        SettingError: A value that is not allowed; the message says what is.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        resolver: AnyResolver,
        missing: MissingPolicy = "allow",
        default: str | None = None,
    ) -> None:
        self._policy = Policy(resolver, missing, default)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Serve `app` from now on; before its first request."""
        app.before_request(self._before_request)
        app.extensions["tracium"] = self

    def _before_request(self) -> None:
        found = self._policy.ask(WsgiRequest(request.environ, request))
        refusal = self._policy.settle(finish(found) if isawaitable(found) else found, request)
        if refusal is None:
            return
        if refusal.challenge is None:
            abort(refusal.status, refusal.sentence)
        abort(refusal.status, refusal.sentence, www_authenticate=WWWAuthenticate.from_header(refusal.challenge))


def _instrument_app(instrument_app: Callable[[Flask], None], app: Any) -> None:
    """Instrument `app` unless somebody has, and see the span that its requests get."""
    with _instrumenting:
        if _SEEN in app.extensions:
            return
        if getattr(app, "_is_instrumented_by_opentelemetry", False):
            app.before_request_funcs.setdefault(None, []).append(_see_span)
        else:
            # An app that has begun to serve takes no hooks, unless it is asked again.
            served, app._got_first_request = app._got_first_request, False  # noqa: SLF001 - Flask has no public way
            try:
                instrument_app(app)
            finally:
                app._got_first_request = served  # noqa: SLF001
            _put_first(app)
        app.extensions[_SEEN] = True


def _put_first(app: Any) -> None:
    """Begin the span before any hook of the app's, and end it after all of them.

    The hooks of an app that was made before it was instrumented stand before the instrumentation's; and what takes a
    tenant out of the URL (`url_value_preprocessor`) runs before every `before_request`.
    """
    begin, end = app._before_request, app._teardown_request  # noqa: SLF001 - where the instrumentation keeps them

    def begin_and_see(endpoint: str | None, values: dict[str, Any] | None) -> None:  # noqa: ARG001 - Flask's signature
        begin()
        _see_span()

    app.before_request_funcs[None].remove(begin)
    app.url_value_preprocessors.setdefault(None, []).insert(0, begin_and_see)
    # Teardown runs from the last to the first.
    app.teardown_request_funcs[None].remove(end)
    app.teardown_request_funcs[None].insert(0, end)


def _see_span() -> None:
    arrival = web_arrival_in(get_current())
    if arrival is not None:
        arrival.span = get_current_span()
