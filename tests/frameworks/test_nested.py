"""Apps within apps, and middleware around them: still one server span a request, and its tenant on all of it."""

from __future__ import annotations

from collections import Counter

import pytest
from support.receiver import http_receiver
from support.web import web_server

SERVER = 2
BEGIN = """
import tracium
tracium.trace()
from opentelemetry.trace import get_tracer
from tracium.frameworks.resolvers import from_header
resolver = from_header("X-Tenant-ID", trusted_proxy=True)

def work():
    get_tracer("app").start_span("work").end()
    return str(tracium.get_current_tenant())
"""
FASTAPI = """
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
def fastapi_app():
    app = FastAPI()
    @app.get("/")
    def index():
        return PlainTextResponse(work())
    return app
"""
STARLETTE = """
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.responses import PlainTextResponse
def starlette_app(*routes):
    return Starlette(routes=[*routes, Route("/", lambda request: PlainTextResponse(work()))])
"""
FLASK = """
from flask import Flask, Response
def flask_app():
    app = Flask(__name__)
    @app.get("/")
    def index():
        return work()
    @app.get("/stream")
    def stream():
        return Response(work() for _ in range(2))
    return app
"""
DJANGO = """
from django.conf import settings
settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF="app")
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
urlpatterns = [
    path("", lambda request: HttpResponse(work())),
    path("stream", lambda request: StreamingHttpResponse(work() for _ in range(2))),
]
"""
ASGI = "from tracium.frameworks.asgi import TenantMiddleware\n"
WSGI = "from tracium.frameworks.wsgi import TenantMiddleware\n"
IN_FASTAPI = "from tracium.frameworks.fastapi import TenantMiddleware\n"
IN_STARLETTE = "from tracium.frameworks.starlette import TenantMiddleware\n"
CONTRIB_ASGI = "from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware\n"
CONTRIB_WSGI = "from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware\n"
BARE_ASGI = """
async def bare(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": work().encode()})
"""
BARE_WSGI = """
def bare(environ, start_response):
    start_response("200 OK", [])
    yield work().encode()
"""
CASES = {
    "FastAPI in Starlette": (
        "uvicorn",
        STARLETTE + FASTAPI + IN_STARLETTE,
        "app = starlette_app(Mount('/in', fastapi_app()))\napp.add_middleware(TenantMiddleware, resolver=resolver)",
        "/ /in/",
    ),
    "Starlette in FastAPI": (
        "uvicorn",
        STARLETTE + FASTAPI + IN_FASTAPI,
        "app = fastapi_app()\napp.mount('/in', starlette_app())\napp.add_middleware(TenantMiddleware, resolver=resolver)",
        "/ /in/",
    ),
    "FastAPI in FastAPI": (
        "uvicorn",
        FASTAPI + IN_FASTAPI,
        "app = fastapi_app()\napp.mount('/in', fastapi_app())\napp.add_middleware(TenantMiddleware, resolver=resolver)",
        "/ /in/",
    ),
    "Flask in FastAPI": (
        "uvicorn",
        FASTAPI + FLASK + IN_FASTAPI + "from a2wsgi import WSGIMiddleware\n",
        (
            "app = fastapi_app()\napp.mount('/in', WSGIMiddleware(flask_app()))\n"
            "app.add_middleware(TenantMiddleware, resolver=resolver)"
        ),
        "/ /in/ /in/stream",
    ),
    "Flask in Flask": (
        "gunicorn",
        FLASK + WSGI + "from werkzeug.middleware.dispatcher import DispatcherMiddleware\n",
        "app = TenantMiddleware(DispatcherMiddleware(flask_app(), {'/in': flask_app()}), resolver)",
        "/ /stream /in/ /in/stream",
    ),
    "generic middleware around FastAPI": (
        "uvicorn",
        FASTAPI + ASGI,
        "app = TenantMiddleware(fastapi_app(), resolver)",
        "/",
    ),
    "generic middleware around Starlette": (
        "uvicorn",
        STARLETTE + ASGI,
        "app = TenantMiddleware(starlette_app(), resolver)",
        "/",
    ),
    "generic middleware around Flask": (
        "gunicorn",
        FLASK + WSGI,
        "app = TenantMiddleware(flask_app(), resolver)",
        "/ /stream",
    ),
    "generic middleware inside Flask": (
        "gunicorn",
        FLASK + WSGI,
        "app = flask_app()\napp.wsgi_app = TenantMiddleware(app.wsgi_app, resolver)",
        "/ /stream",
    ),
    "generic middleware around Django": (
        "gunicorn",
        DJANGO + WSGI,
        "app = TenantMiddleware(get_wsgi_application(), resolver)",
        "/ /stream",
    ),
    "generic middleware in OpenTelemetry's": (
        "uvicorn",
        ASGI + CONTRIB_ASGI + BARE_ASGI,
        "app = OpenTelemetryMiddleware(TenantMiddleware(bare, resolver))",
        "/",
    ),
    "generic middleware around OpenTelemetry's": (
        "uvicorn",
        ASGI + CONTRIB_ASGI + BARE_ASGI,
        "app = TenantMiddleware(OpenTelemetryMiddleware(bare), resolver)",
        "/",
    ),
    "WSGI middleware in OpenTelemetry's": (
        "gunicorn",
        WSGI + CONTRIB_WSGI + BARE_WSGI,
        "app = OpenTelemetryMiddleware(TenantMiddleware(bare, resolver))",
        "/",
    ),
    "WSGI middleware around OpenTelemetry's": (
        "gunicorn",
        WSGI + CONTRIB_WSGI + BARE_WSGI,
        "app = TenantMiddleware(OpenTelemetryMiddleware(bare), resolver)",
        "/",
    ),
    "OpenTelemetry's around FastAPI": (
        "uvicorn",
        FASTAPI + CONTRIB_ASGI + IN_FASTAPI,
        "inner = fastapi_app()\ninner.add_middleware(TenantMiddleware, resolver=resolver)\napp = OpenTelemetryMiddleware(inner)",
        "/",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_server_span_and_one_tenant(case, tmp_path):
    """Whatever is around and inside."""
    server, parts, app, paths = CASES[case]
    (tmp_path / "app.py").write_text(f"{BEGIN}{parts}{app}\n")
    tenants = ["acme", None, "globex"]
    with http_receiver() as receiver:
        with web_server(server, tmp_path, receiver) as running:
            for path in paths.split():
                for tenant in tenants:
                    status, text = running.get(path, tenant)
                    times = 2 if path.endswith("stream") else 1
                    assert (status, text) == (200, str(tenant) * times), running.log.read_text()[-3000:]
            assert running.trouble() == []
        servers = [span for span in receiver.spans if span.kind == SERVER]
        assert Counter(span.tenant for span in servers) == Counter(tenants * len(paths.split()))
        by_trace = {span.trace_id: span.tenant for span in servers}
        assert len(by_trace) == len(servers)
        wrong = [(s.name, s.tenant) for s in receiver.spans if s.tenant != by_trace.get(s.trace_id, "no request's")]
        assert [name for name in wrong if not name[0].endswith("http receive")] == []
