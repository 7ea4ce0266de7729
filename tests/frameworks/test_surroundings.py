"""What stands around, between and before: the ways in which apps are really put together."""

from __future__ import annotations

import gc
import time
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.context import Context, attach, detach
from support.app import environment, run_app
from support.receiver import http_receiver
from support.web import web_server

import tracium
from tracium import notices
from tracium.frameworks.arrival import WebArrival
from tracium.frameworks.body import stepped

SERVER = 2
TRACE = "import tracium\ntracium.trace()\n"
FLASK = """
from flask import Flask, Response, request
import tracium
def flask_app(kind=Flask):
    app = kind(__name__)
    @app.before_request
    def set_tenant():
        if "X-Tenant-ID" in request.headers:
            tracium.set_tenant(request.headers["X-Tenant-ID"])
    @app.get("/")
    def index():
        return str(tracium.get_current_tenant())
    @app.get("/stream")
    def stream():
        return Response(str(tracium.get_current_tenant()) for _ in range(1))
    return app
"""
STARLETTE = """
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
import tracium
class SetTenant:
    def __init__(self, app):
        self.app, self.pool = app, None
    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            self.pool = "open"
        else:
            tenant = dict(scope["headers"]).get(b"x-tenant-id")
            if tenant:
                tracium.set_tenant(tenant.decode())
            assert self.pool == "open"
        await self.app(scope, receive, send)
async def index(request):
    return PlainTextResponse(str(tracium.get_current_tenant()))
def starlette_app(lifespan=None):
    return Starlette(routes=[Route("/", index)], middleware=[Middleware(SetTenant)], lifespan=lifespan)
"""
FASTAPI = """
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
import tracium
def fastapi_app():
    app = FastAPI()
    @app.get("/")
    def index():
        return PlainTextResponse(str(tracium.get_current_tenant()))
    return app
"""
ASGI = """
from tracium.frameworks.asgi import TenantMiddleware
from tracium.frameworks.resolvers import from_header
resolver = from_header("X-Tenant-ID", trusted_proxy=True)
"""
OWN_SPAN = """
from opentelemetry.trace import SpanKind, get_tracer
class OwnSpan:
    def __init__(self, app, kind=SpanKind.INTERNAL):
        self.app, self.kind = app, kind
    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        with get_tracer("own").start_as_current_span("own", kind=self.kind):
            await self.app(scope, receive, send)
"""
COPIES = """
class Copies:
    def __init__(self, app):
        self.app = app
    async def __call__(self, scope, receive, send):
        await self.app({**scope, "headers": [*scope.get("headers", ()), (b"x-more", b"1")]}, receive, send)
"""
# server, code
SERVED = {
    "what is wrapped around Flask's wsgi_app": (
        "gunicorn",
        TRACE + FLASK + "from werkzeug.middleware.proxy_fix import ProxyFix\napp = ProxyFix(flask_app().wsgi_app)\n",
    ),
    "a Flask subclass that calls its wsgi_app": (
        "gunicorn",
        TRACE
        + FLASK
        + "class Own(Flask):\n    def __call__(self, environ, start_response):\n"
        + "        return self.wsgi_app(environ, start_response)\napp = flask_app(Own)\n",
    ),
    "another's class in the place of Flask": (
        "gunicorn",
        "from flask import Flask\nfrom opentelemetry.instrumentation.flask import FlaskInstrumentor\n"
        "FlaskInstrumentor().instrument()\n"
        + TRACE
        + FLASK.replace("from flask import Flask,", "from flask import")
        + "app = flask_app()\n",
    ),
    "another's class in the place of Starlette": (
        "uvicorn",
        "from starlette.applications import Starlette as Own\n"
        "from opentelemetry.instrumentation.starlette import StarletteInstrumentor\nStarletteInstrumentor().instrument()\n"
        + TRACE
        + STARLETTE.replace("from starlette.applications import Starlette\n", "Starlette = Own\n")
        + "app = starlette_app()\n",
    ),
    "a middleware that serves the lifespan": ("uvicorn", TRACE + STARLETTE + "app = starlette_app()\n"),
    "trace() in the lifespan": (
        "uvicorn",
        STARLETTE
        + "from contextlib import asynccontextmanager\n@asynccontextmanager\nasync def begin(app):\n    tracium.trace()\n    yield\n"
        + "app = starlette_app(begin)\n",
    ),
    "a middleware between that copies the scope": (
        "uvicorn",
        TRACE + FASTAPI + ASGI + COPIES + "app = TenantMiddleware(Copies(fastapi_app()), resolver)\n",
    ),
    "a span between": (
        "uvicorn",
        TRACE + FASTAPI + ASGI + OWN_SPAN + "app = TenantMiddleware(OwnSpan(fastapi_app()), resolver)\n",
    ),
    "a server span made by hand around the app": (
        "uvicorn",
        TRACE + STARLETTE + OWN_SPAN + "app = OwnSpan(starlette_app(), SpanKind.SERVER)\n",
    ),
}


@pytest.mark.parametrize("case", SERVED)
def test_one_server_span_with_its_tenant(case, tmp_path):
    """And nobody sees the tenant of the request before, on one connection."""
    server, code = SERVED[case]
    (tmp_path / "app.py").write_text(code)
    tenants = ["acme", None, "globex", None]
    with http_receiver() as receiver:
        with web_server(server, tmp_path, receiver) as running:
            connection = running.connect()
            paths = ["/", "/stream"] if "flask_app" in code else ["/"]
            for path in paths:
                for tenant in tenants:
                    assert running.get(path, tenant, connection) == (200, str(tenant)), running.log.read_text()[-3000:]
            connection.close()
            assert running.trouble() == []
        servers = [span for span in receiver.spans if span.kind == SERVER]
        assert Counter(span.tenant for span in servers) == Counter(tenants * len(paths)), running.log.read_text()[
            -3000:
        ]
        # The framework's own span says how it ended, however it is reached.
        if "by hand" not in case:
            assert all({"http.status_code", "http.response.status_code"} & set(span.attributes) for span in servers)


DJANGO = """
from django.conf import settings
settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF="app", MIDDLEWARE=["app.SetTenant", "app.Guard"])
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, HttpResponseForbidden
from django.urls import path
import threading, time, tracium
class SetTenant:
    def __init__(self, get_response):
        self.get_response = get_response
    def __call__(self, request):
        if "X-Tenant-ID" in request.headers:
            tracium.set_tenant(request.headers["X-Tenant-ID"])
        return self.get_response(request)
class Guard:
    made = 0
    def __init__(self, get_response):
        time.sleep(0.2)
        Guard.made += 1
        if Guard.made > 1 and FAILS:
            raise RuntimeError("not twice")
        self.get_response = get_response
    def __call__(self, request):
        return self.get_response(request)
    def process_view(self, request, view, args, kwargs):
        if "secret" in request.path:
            return HttpResponseForbidden("no")
urlpatterns = [path("", lambda request: HttpResponse(str(tracium.get_current_tenant()))),
               path("secret", lambda request: HttpResponse("SECRET"))]
app = get_wsgi_application()
tracium.trace()
"""


@pytest.mark.parametrize("fails", [False, True])
def test_a_django_handler_that_was_made_before_never_skips_what_checks_requests(fails, tmp_path):
    """Its middleware is loaded once more for the instrumentation, beside the one that serves, and may fail at that."""
    (tmp_path / "app.py").write_text(f"FAILS = {fails}\n{DJANGO}")
    with http_receiver() as receiver:
        with web_server("gunicorn", tmp_path, receiver) as running:
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda _: running.get("/secret", "acme"), range(24)))
            assert set(answers) == {(403, "no")}
            assert running.get("/", "acme") == (200, "acme")
            assert running.get("/") == (200, "None")
        spans = [span.tenant for span in receiver.spans if span.kind == SERVER]
        assert spans.count("acme") == (0 if fails else 25)


@pytest.mark.parametrize("framework", ["flask", "django"])
def test_requests_are_apart_where_instrumentation_is_disabled(framework, tmp_path):
    """One thread serves them, and nothing clears."""
    code = TRACE + FLASK + "app = flask_app()\n" if framework == "flask" else f"FAILS = False\n{DJANGO}"
    (tmp_path / "app.py").write_text(code)
    with http_receiver() as receiver:
        settings = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": framework}
        with web_server("gunicorn", tmp_path, receiver, **settings) as running:
            for tenant in ["acme", None] * 4:
                assert running.get("/", tenant) == (200, str(tenant))
    assert receiver.spans == []


def test_a_client_that_leaves_while_a_django_view_runs(tmp_path):
    """The request's span ends, with its tenant, and nothing is logged of contexts."""
    code = (
        DJANGO.replace("wsgi", "asgi")
        .replace('HttpResponse("SECRET"))]', 'HttpResponse("SECRET")), path("slow", slow)]')
        .replace("urlpatterns", "import asyncio\nasync def slow(request):\n    await asyncio.sleep(5)\nurlpatterns")
    )
    (tmp_path / "app.py").write_text(f"FAILS = False\n{code}")
    with http_receiver() as receiver, web_server("uvicorn", tmp_path, receiver) as running:
        assert running.get("/", "globex") == (200, "globex")
        running.leave("/slow", "acme")
        deadline = time.monotonic() + 10
        while len(receiver.spans) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert running.trouble() == []
    assert [(span.name, span.tenant) for span in receiver.spans] == [("GET", "globex"), ("GET slow", "acme")]


def test_djangos_handlers_of_static_files_are_left_alone():
    """They have no middleware of their own, and no fault of ours is logged."""
    ended = run_app(
        """
        import asyncio, logging, tracium
        logging.basicConfig()
        from django.conf import settings
        settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, STATIC_URL="/static/",
                           INSTALLED_APPS=["django.contrib.staticfiles"])
        import django
        django.setup()
        from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
        from django.core.asgi import get_asgi_application
        from django.http import HttpResponse
        from django.urls import path
        urlpatterns = [path("", lambda request: HttpResponse("ok"))]
        tracium.trace()
        app = ASGIStaticFilesHandler(get_asgi_application())

        async def ask(at):
            sent = []
            scope = {"type": "http", "method": "GET", "path": at, "headers": [(b"host", b"x")], "query_string": b""}
            events = [{"type": "http.request"}]

            async def receive():
                if events:
                    return events.pop()
                await asyncio.sleep(60)

            async def send(message):
                sent.append(message)

            await app(scope, receive, send)
            return sent[0]["status"]

        print(asyncio.run(ask("/")), asyncio.run(ask("/static/none.css")))
        """,
        environment(OTEL_TRACES_EXPORTER="none"),
    )
    assert ended.stdout.split() == ["200", "404"]
    assert "tracium failed" not in ended.stderr


def test_a_request_that_a_view_makes_in_the_process_is_its_own():
    """ASGI in ASGI and WSGI in ASGI: it is not the caller's, and the caller keeps its tenant."""
    ended = run_app(
        FASTAPI
        + FLASK
        + """
import asyncio, tracium
from fastapi import Request
from starlette.testclient import TestClient
tracium.trace()
inner, wsgi, app = fastapi_app(), flask_app(), fastapi_app()

@app.middleware("http")
async def set_tenant(request: Request, call_next):
    tracium.set_tenant("outer")
    return await call_next(request)

@app.get("/asgi")
def asgi():
    return [TestClient(inner).get("/").text, tracium.get_current_tenant()]

@app.get("/wsgi")
def through_wsgi():
    found = wsgi.test_client().get("/", headers={"X-Tenant-ID": "inner"}).text
    return [found, wsgi.test_client().get("/").text, tracium.get_current_tenant()]

client = TestClient(app)
print(client.get("/asgi").json(), client.get("/wsgi").json())
""",
        environment(OTEL_TRACES_EXPORTER="none", PYTHONWARNINGS="ignore"),
    )
    assert ended.stdout.strip() == "['None', 'outer'] ['inner', 'None', 'outer']"
    assert "mixed" not in ended.stderr


def test_a_tenant_that_is_set_around_an_app_is_said_to_be_dropped():
    """Once, with the cure: a request begins without the tenant of its thread."""
    with tracium.tenant("around"):
        for _ in range(2):
            token = attach(WebArrival({}).context)
            assert tracium.get_current_tenant() is None
            detach(token)
    assert [(notice.key, notice.count) for notice in notices.notices()] == [("tenant:around", 2)]


def test_an_arrival_is_gone_with_its_request():
    """By counting references alone: garbage that only the collector finds costs every request."""
    arrival = WebArrival({})
    arrival.close()
    gone = weakref.ref(arrival)
    gc.disable()
    try:
        del arrival
        assert gone() is None
    finally:
        gc.enable()


def test_a_body_that_knows_its_length_tells_it():
    """Servers make `Content-Length` of it."""

    class Sized(list):
        """A sequence that is no plain list."""

    assert len(stepped(Sized([b"one", b"two"]), Context())) == 2
    assert not hasattr(stepped(iter([b"one"]), Context()), "__len__")


def test_a_fault_of_ours_does_not_reach_the_apps_import():
    """It is logged, and the library is there."""
    ended = run_app(
        """
        import logging, sys, tracium
        logging.basicConfig()
        sys.modules["tracium.frameworks.asgi"] = sys.modules["tracium.frameworks.fastapi"] = None
        tracium.trace()
        import opentelemetry.instrumentation.asgi, fastapi
        print("imported")
        """,
        environment(OTEL_TRACES_EXPORTER="none"),
    )
    assert ended.stdout.strip() == "imported"
    assert ended.stderr.count("tracium failed while") == 2
