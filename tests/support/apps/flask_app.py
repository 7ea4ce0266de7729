"""Flask in every way in which a tenant can be set and a body be streamed."""

import os
import time

from flask import Flask, Response, request, stream_with_context
from noting import HAND_MADE, is_own, note, noted, pieces, start
from opentelemetry.trace import get_tracer

import tracium
from tracium.frameworks.flask import TenantMiddleware

app = Flask(__name__)


def resolve(asked):
    return None if is_own(asked.path) else asked.headers.get("X-Tenant-ID")


@app.url_value_preprocessor
def take_tenant_out_of_the_path(endpoint, values):
    if values and "tenant" in values:
        tracium.set_tenant(values.pop("tenant"))


if HAND_MADE:

    @app.before_request
    def set_tenant():
        tenant = resolve(request)
        if tenant:
            tracium.set_tenant(tenant)

    if "FORGETS" not in os.environ:

        @app.teardown_request
        def clear_tenant(error=None):
            tracium.set_tenant(None)

else:
    TenantMiddleware(app, resolver=resolve)


def number():
    return int(request.args["n"])


@app.get("/plain")
def plain():
    note(number(), "endpoint")
    return ""


@app.get("/async")
async def async_endpoint():
    note(number(), "endpoint")
    return ""


@app.get("/stream")
def stream():
    return Response(pieces(number()))


@app.get("/events")
def events():
    return Response(stream_with_context(pieces(number())), mimetype="text/event-stream")


@app.get("/slow")
def slow():
    def body(n):
        for piece in pieces(n):
            yield piece * 10_000
            time.sleep(0.05)

    return Response(body(number()))


@app.get("/error")
def error():
    note(number(), "endpoint")
    raise RuntimeError("as asked")


@app.get("/nested")
def nested():
    with get_tracer("app").start_as_current_span("outer"), get_tracer("app").start_as_current_span("inner"):
        note(number(), "endpoint")
    return ""


@app.get("/own/endpoint")
def own():
    tracium.set_tenant(request.headers.get("X-Tenant-ID"))
    note(number(), "endpoint")
    return Response(pieces(number()))


@app.get("/own/nested")
def own_nested():
    with get_tracer("app").start_as_current_span("outer"):
        tracium.set_tenant(request.headers.get("X-Tenant-ID"))
        note(number(), "inside")
    return Response(stream_with_context(pieces(number())))


@app.get("/own/path/<tenant>")
def own_path():
    note(number(), "endpoint")
    return Response(pieces(number()))


@app.get("/noted")
def what_was_noted():
    return noted()


# The app was made first.
start()
