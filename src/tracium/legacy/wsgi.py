"""The older SDK's wrapper for WSGI apps: OpenTelemetry's middleware, and a request of its own for each call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracium.exceptions import MissingExtraError
from tracium.frameworks.wsgi import instrument

if TYPE_CHECKING:
    from tracium.frameworks.entry import WsgiCall


def wrap_wsgi_app(app: WsgiCall) -> WsgiCall:
    """`app`, with a server span and a request of its own around each call; one that is wrapped stays as it is.

    Raises:
        MissingExtraError: OpenTelemetry's instrumentation for WSGI is not installed; the message is the command.
    """
    try:
        from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError('pip install "tracium[wsgi]"') from error
    instrument()
    if isinstance(app, OpenTelemetryMiddleware):
        return app
    middleware: WsgiCall = OpenTelemetryMiddleware(app)
    return middleware
