"""WSGI without a framework: the two middlewares that make requests and their tenants visible.

Run it; spans go to http://localhost:4318, where `tracium serve` listens, or to TRACIUM_ENDPOINT:

    pip install "tracium[wsgi]" gunicorn
    gunicorn --threads 8 wsgi_app:app

Try it:

    curl -N "localhost:8000/t/acme/stream?order=17"
    curl -i localhost:8000/t/nobody/stream

What it shows: OpenTelemetry's own middleware makes the server span, tracium's sets its tenant, for any WSGI app and any
framework that speaks WSGI. What names no tenant that there is gets 401.
"""

import time
from collections.abc import Iterator
from wsgiref.types import StartResponse, WSGIEnvironment

from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

import tracium
from tracium.frameworks.resolvers import from_path
from tracium.frameworks.wsgi import TenantMiddleware

tracium.trace()


def agent(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """A generator: all of it runs while the server sends."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    with tracium.start_trace(agent_name="writer") as run:
        for word in (environ["QUERY_STRING"], "is", "on", "its", "way."):
            with run.span("llm", "next_word"):
                time.sleep(0.05)  # the model
            yield f"{word} ".encode()


# OpenTelemetry's middleware is the outer one, so that what is refused is seen as well. The other way round is right too.
app = OpenTelemetryMiddleware(
    TenantMiddleware(agent, resolver=from_path("/t/{tenant}", known={"acme", "globex"}), missing="reject")
)
