"""Exactly one server span a request, with its tenant, whatever the order of import, `trace()` and `app = …`."""

from __future__ import annotations

from collections import Counter

import pytest
from support.app import BIN
from support.receiver import http_receiver
from support.web import web_server

TRACE = "import tracium\ntracium.trace()\n"
SERVER = 2
TENANTS = ["acme", "globex", None, "acme", "initech", None, "globex", "acme"]

# framework: what is imported, what makes the app, what else belongs to it
FLASK = (
    "from flask import Flask, request\n",
    "app = Flask(__name__)\n",
    """
import tracium
@app.before_request
def set_tenant():
    if "X-Tenant-ID" in request.headers:
        tracium.set_tenant(request.headers["X-Tenant-ID"])
@app.get("/")
def index():
    return str(tracium.get_current_tenant())
""",
)
FASTAPI = (
    "from fastapi import FastAPI, Request\n",
    "app = FastAPI()\n",
    """
import tracium
@app.middleware("http")
async def set_tenant(request: Request, call_next):
    if "X-Tenant-ID" in request.headers:
        tracium.set_tenant(request.headers["X-Tenant-ID"])
    response = await call_next(request)
    tracium.set_tenant(None)
    return response
@app.get("/")
def index():
    from fastapi.responses import PlainTextResponse
    return PlainTextResponse(str(tracium.get_current_tenant()))
""",
)
STARLETTE = (
    "from starlette.applications import Starlette\nfrom starlette.responses import PlainTextResponse\n",
    "app = Starlette()\n",
    """
import tracium
from starlette.middleware.base import BaseHTTPMiddleware
class SetTenant(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        if "X-Tenant-ID" in request.headers:
            tracium.set_tenant(request.headers["X-Tenant-ID"])
        return await call_next(request)
app.add_middleware(SetTenant)
async def index(request):
    return PlainTextResponse(str(tracium.get_current_tenant()))
app.router.add_route("/", index)
""",
)
DJANGO = (
    """
from django.conf import settings
settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF="app", MIDDLEWARE=["app.SetTenant"])
from django.core.{kind} import get_{kind}_application
""",
    "app = get_{kind}_application()\n",
    """
import tracium
from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("", lambda request: HttpResponse(str(tracium.get_current_tenant())))]
""",
)
SET_TENANT = """
class SetTenant:
    def __init__(self, get_response):
        self.get_response = get_response
    def __call__(self, request):
        import tracium
        if "X-Tenant-ID" in request.headers:
            tracium.set_tenant(request.headers["X-Tenant-ID"])
        response = self.get_response(request)
        tracium.set_tenant(None)
        return response
"""


def django(kind):
    imports, makes, rest = DJANGO
    return imports.format(kind=kind), SET_TENANT + makes.format(kind=kind), rest


ORDERS = {
    "trace first": lambda imports, makes, rest: TRACE + imports + makes + rest,
    "import first": lambda imports, makes, rest: imports + TRACE + makes + rest,
    "app first": lambda imports, makes, rest: imports + makes + rest + TRACE,
    "twice": lambda imports, makes, rest: TRACE + imports + TRACE + makes + rest + TRACE,
    "without code": lambda imports, makes, rest: imports + makes + rest,
}
FRAMEWORKS = {
    "flask": FLASK,
    "fastapi": FASTAPI,
    "starlette": STARLETTE,
    "django": django("wsgi"),
    "django asgi": django("asgi"),
}
OWN_SERVER = {
    "flask": "flask run",
    "fastapi": "uvicorn",
    "starlette": "uvicorn",
    "django": "gunicorn",
    "django asgi": "uvicorn",
}
CASES = [(framework, order, OWN_SERVER[framework]) for framework in FRAMEWORKS for order in ORDERS] + [
    ("flask", "import first", "gunicorn"),
    ("flask", "import first", "gevent"),
    ("flask", "without code", "gunicorn"),
    ("django", "trace first", "gevent"),
    ("fastapi", "import first", "uvicorn worker"),
    ("starlette", "trace first", "uvicorn worker"),
]


@pytest.mark.parametrize(("framework", "order", "server"), CASES)
def test_one_server_span_a_request_with_its_tenant(framework, order, server, tmp_path):
    """And nobody sees the tenant of the request before."""
    (tmp_path / "app.py").write_text(ORDERS[order](*FRAMEWORKS[framework]))
    launcher = [str(BIN / "opentelemetry-instrument")] if order == "without code" else []
    with http_receiver() as receiver:
        with web_server(server, tmp_path, receiver, launcher=launcher) as running:
            for tenant in TENANTS:
                assert running.get("/", tenant) == (200, str(tenant)), running.log.read_text()[-4000:]
        log = running.log.read_text()
        servers = [span for span in receiver.spans if span.kind == SERVER]
        assert Counter(span.tenant for span in servers) == Counter(TENANTS), log[-4000:]
        assert len({span.trace_id for span in servers}) == len(TENANTS)
        # What an ASGI server receives before the app runs may end before the tenant is known.
        told = [span for span in receiver.spans if not span.name.endswith("http receive")]
        by_trace = {span.trace_id: span.tenant for span in servers}
        assert [span.name for span in told if span.tenant != by_trace[span.trace_id]] == []
        assert running.trouble() == []
