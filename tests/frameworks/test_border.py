"""What a request brings at the border: no spoofed tenant on anything, a proven one on everything."""

from __future__ import annotations

import itertools
import json

import pytest
from support.receiver import http_receiver
from support.running import APP, SERVER, running_app
from support.web import web_server

from tracium.boundary.member import add_tenant
from tracium.boundary.signature import Keyring

KEY = "the-key-that-the-services-share"
RING, OTHER = Keyring((KEY.encode(),)), Keyring((b"the key of another installation",))
TRACES = itertools.count(0xA000_0000_0000_0000_0000_0000_0000_0001)
SIGNED_TRACE = 0xB000_0000_0000_0000_0000_0000_0000_0001


def parent(trace_id):
    return f"00-{trace_id:032x}-00f067aa0ba902b7-01"


def proof(tenant, trace_id, ring=RING, others=""):
    return add_tenant(tenant, others, ring.sign(tenant, trace_id))


# What an attacker sends, in every way to write it; he has seen the proof of acme in another trace.
SPOOFED = [
    ["tenant.id=evil"],
    ["tenant%2Eid=evil"],
    ["tenant%2eid=%65vil"],
    ["%74enant.id=evil"],
    ["Tenant.ID=evil"],
    [" tenant.id = evil "],
    ["\ttenant.id\t=\tevil\t"],
    ["+tenant.id=evil"],
    ["%20tenant.id%20=evil"],
    ["tenant.id=evil;ttl=1;x"],
    ["tenant.id;x=evil"],
    ["color=blue,tenant.id=evil"],
    ["color=blue;x,tenant.id=evil"],
    ["tenant.id=acme,tenant.id=evil"],
    ["tenant.id=acme,tenant%2Eid=evil"],
    ["color=blue", "tenant.id=evil"],
    ["tenant.id=evil", "color=blue"],
    ["tenant.id=evil", "tenant.id=acme"],
    ["tenant.id=e+v"],
    ["tenant.id=" + "e" * 256],
    ["tenant.id=evil," + "x=" + "y" * 4000],
    ["tenant.id=evil," + "x=" + "y" * 9000],
    ["tenant.id=evil", "x=" + "y" * 5000, "z=" + "y" * 5000],
    ["a=1," * 200 + "tenant.id=evil"],
    ["tenant.id=evil,tracium.tenant.signature=1"],
    ["tenant.id=evil,tracium.tenant.signature=" + "1" * 57],
    [proof("evil", SIGNED_TRACE, OTHER)],
    [proof("acme", SIGNED_TRACE)],
    [proof("acme", SIGNED_TRACE).replace("acme", "evil")],
    [proof("acme", SIGNED_TRACE) + ",tenant.id=evil"],
    ["tenant.id=evil," + proof("acme", SIGNED_TRACE)],
    [proof("acme", SIGNED_TRACE), "tenant.id=evil"],
    ["tenant.id=\xe9vil".encode().decode("latin-1")],
    ["tenant.id=\xe9vil"],
]
HEADER_NAMES = ["baggage", "Baggage", "BAGGAGE"]


def ask(server, path, headers):
    """The status and text of an answer to a request with these pairs as headers."""
    connection = server.connect()
    try:
        connection.putrequest("GET", path)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("name", APP)
def test_a_spoofed_tenant_is_on_nothing_and_a_proven_one_on_everything(name):
    """In every place where an app works: dependencies, bodies, background tasks, what comes after an error."""
    paths = [path for path in APP[name][2].split() if not path.startswith("/own")]
    refused = set()
    with running_app(name, MIDDLEWARE="ready", TRACIUM_PROPAGATION_KEY=KEY) as app:
        for headers, header_name in zip(SPOOFED, itertools.cycle(HEADER_NAMES)):
            pairs = [("traceparent", parent(next(TRACES))), *((header_name, value) for value in headers)]
            status, _ = ask(app.server, app.url("/plain", None), pairs)
            assert status in {200, 400, 431}, (headers, app.server.log.read_text()[-3000:])
            if status != 200:
                # A server takes headers of so many bytes only.
                assert sum(map(len, headers)) > 8000
                refused.add(max(app.asked))
        for path, tenant in itertools.product(paths, ("acme", " a+b,c;é ")):
            trace_id = next(TRACES)
            pairs = [("traceparent", parent(trace_id)), ("baggage", proof(tenant, trace_id, others="color=blue"))]
            status, _ = ask(app.server, app.url(path, tenant), pairs)
            assert status == (500 if path == "/error" else 200)
            # The next one, on a worker that has just had it.
            ask(app.server, app.url(path, None), [("traceparent", parent(next(TRACES))), pairs[1]])
        app.check_noted()
    assert app.check_spans() == set(app.asked) - refused
    assert "evil" not in {value for span in app.receiver.spans for value in span.attributes.values()}


BEGIN = """
import json
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
import tracium
tracium.trace()
from opentelemetry.trace import get_tracer
from tracium.frameworks.resolvers import from_header
options = {"resolver": from_header("X-Tenant-ID", trusted_proxy=True), "missing": "reject"}

def work():
    get_tracer("app").start_span("work").end()
    return str(tracium.get_current_tenant())

def rejected():
    points = [
        (point.attributes["tracium.tenant.rejected.reason"], point.value)
        for resource in reader.get_metrics_data().resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics if metric.name == "tracium.tenant.rejected"
        for point in metric.data.data_points
    ]
    return json.dumps(dict(points))
"""
FASTAPI = """
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from tracium.frameworks.fastapi import TenantMiddleware
inner = FastAPI()
inner.get("/", response_class=PlainTextResponse)(work)
inner.get("/rejected", response_class=PlainTextResponse)(rejected)
inner.add_middleware(TenantMiddleware, **options)
"""
DJANGO = """
from django.conf import settings
settings.configure(
    SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF="app", MIDDLEWARE=["tracium.frameworks.django.TenantMiddleware"],
    TRACIUM_TENANT_RESOLVER=options["resolver"], TRACIUM_TENANT_MISSING="reject",
)
from django.http import HttpResponse
from django.urls import path
urlpatterns = [
    path("", lambda request: HttpResponse(work())), path("rejected", lambda request: HttpResponse(rejected())),
]
"""
# framework: its server, its app
APPS = {
    "fastapi": ("uvicorn", FASTAPI + "app = inner\n"),
    "fastapi, instrumented by contrib": (
        "uvicorn",
        "from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware\n"
        + FASTAPI
        + "app = OpenTelemetryMiddleware(inner)\n",
    ),
    "starlette": (
        "uvicorn h11",
        """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tracium.frameworks.starlette import TenantMiddleware
app = Starlette(routes=[
    Route("/", lambda request: PlainTextResponse(work())), Route("/rejected", lambda request: PlainTextResponse(rejected())),
])
app.add_middleware(TenantMiddleware, **options)
""",
    ),
    "flask": (
        "flask run",
        """
from flask import Flask
from tracium.frameworks.flask import TenantMiddleware
app = Flask(__name__)
app.get("/")(work)
app.get("/rejected")(rejected)
TenantMiddleware(app, **options)
""",
    ),
    "django": ("gevent", DJANGO + "from django.core.wsgi import get_wsgi_application\napp = get_wsgi_application()\n"),
    "django asgi": (
        "uvicorn",
        DJANGO + "from django.core.asgi import get_asgi_application\napp = get_asgi_application()\n",
    ),
}
REASONS = {
    "unsigned": lambda trace: [("traceparent", parent(trace)), ("baggage", "tenant.id=acme")],
    "forged": lambda trace: [("traceparent", parent(trace)), ("baggage", proof("acme", trace, OTHER))],
    "no_trace": lambda trace: [("baggage", proof("acme", trace))],
    "trace_mismatch": lambda trace: [("traceparent", parent(trace)), ("baggage", proof("acme", trace + 1000))],
    "ambiguous": lambda trace: [("traceparent", parent(trace)), ("baggage", proof("acme", trace) + ",tenant.id=evil")],
}
CURES = {
    "unsigned": "came without a signature",
    "forged": "list the new one first",
    "no_trace": "OTEL_PROPAGATORS",
    "trace_mismatch": "gateway",
    "ambiguous": "percent-encoded",
}


@pytest.fixture(params=APPS)
def serve(request, tmp_path):
    """An app that lets no request without a tenant through, and its spans."""
    server, app = APPS[request.param]
    (tmp_path / "app.py").write_text(f"{BEGIN}{app}")
    with http_receiver() as receiver:

        def run(**variables):
            return web_server(server, tmp_path, receiver, **variables)

        run.receiver = receiver
        yield run


def test_a_proven_tenant_is_let_through_and_binds_the_request(serve):
    """The middleware's resolver needs to find none; a second one makes the request mixed. The rest is counted and said."""
    with serve(TRACIUM_PROPAGATION_KEY=KEY) as running:
        proven, twice, same = (next(TRACES) for _ in range(3))
        assert ask(running, "/", [])[0] == 401
        signed = [("traceparent", parent(proven)), ("baggage", proof("acme", proven))]
        assert ask(running, "/", signed) == (200, "acme")
        for trace_id, tenant in ((twice, "globex"), (same, "acme")):
            signed = [("traceparent", parent(trace_id)), ("baggage", proof("acme", trace_id)), ("X-Tenant-ID", tenant)]
            assert ask(running, "/", signed) == (200, tenant)
        for make, _ in itertools.product(REASONS.values(), range(2)):
            assert ask(running, "/", make(next(TRACES)))[0] == 401
        trace_id = next(TRACES)
        status, told = ask(running, "/rejected", [("X-Tenant-ID", "ops")])
        assert (status, json.loads(told)) == (200, dict.fromkeys(REASONS, 2))
        assert running.trouble() == []
        log = running.log.read_text()
    for reason, cure in CURES.items():
        assert len([line for line in log.splitlines() if line.startswith("tenant.id came") and cure in line]) == 1, (
            reason
        )
    servers = {span.trace_id: span for span in serve.receiver.spans if span.kind == SERVER}
    told = [servers[f"{trace_id:032x}"] for trace_id in (proven, twice, same)]
    assert [(span.tenant, span.attributes.get("tracium.tenant.mixed")) for span in told] == [
        ("acme", None),
        ("acme", True),
        ("acme", None),
    ]
    works = {span.trace_id: span.tenant for span in serve.receiver.named("work")}
    assert works == {f"{proven:032x}": "acme", f"{twice:032x}": "globex", f"{same:032x}": "acme"}
    assert {span.tenant for span in serve.receiver.spans} <= {None, "acme", "globex", "ops"}


@pytest.mark.parametrize(
    ("serve", "sources", "believed"),
    [
        *((name, "127.0.0.0/8", True) for name in APPS),
        *((name, "10.0.0.0/8", False) for name in ("fastapi", "django")),
    ],
    indirect=["serve"],
)
def test_a_trusted_source_is_the_peer_itself(serve, sources, believed):
    """What a header says about the address is nothing; without a key there is nothing else."""
    forwarded = [("X-Forwarded-For", "10.0.0.1"), ("Forwarded", "for=10.0.0.1"), ("X-Real-IP", "10.0.0.1")]
    with serve(TRACIUM_TRUSTED_SOURCES=sources, FORWARDED_ALLOW_IPS="192.0.2.1") as running:
        answer = ask(running, "/", [("baggage", "tenant.id=caf%C3%A9"), *forwarded])
        assert answer == (200, "café") if believed else answer[0] == 401
        for broken in ("tenant.id=caf\xe9", "tenant.id=a,tenant.id=b", "tenant.id=a+b"):
            assert ask(running, "/", [("baggage", broken), *forwarded])[0] == 401
        assert ("unproven" in json.loads(ask(running, "/rejected", [("X-Tenant-ID", "ops")])[1])) is not believed
    assert {span.tenant for span in serve.receiver.spans} <= {None, "ops", "café"}
