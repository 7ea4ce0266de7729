"""Services of one installation, each in a process of its own: the tenant goes from one to the next, with its proof."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from support.receiver import http_receiver
from support.web import web_server

KEY = {"TRACIUM_API_KEY": "sk_live_7Qm2vX9rTz4LbN8w"}
SERVER, CLIENT = 2, 3
HOP = """
import os
import httpx
import tracium
tracium.trace()
from fastapi import FastAPI, Request

app = FastAPI()

@app.get("/")
def hop(request: Request):
    if "X-Tenant-ID" in request.headers:
        tracium.set_tenant(request.headers["X-Tenant-ID"])
    onwards = os.environ.get("ONWARDS")
    told = httpx.get(onwards, follow_redirects=True, timeout=30).json() if onwards else []
    return [tracium.get_current_tenant(), *told]
"""
# OpenTelemetry alone, which passes on what it gets and believes it.
PLAIN = """
import os
import httpx
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import set_tracer_provider
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(os.environ["TRACIUM_ENDPOINT"] + "/v1/traces")))
set_tracer_provider(provider)
HTTPXClientInstrumentor().instrument()
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
def hop():
    return ["plain", *httpx.get(os.environ["ONWARDS"], timeout=30).json()]
"""
# A gateway that begins a trace of its own, and passes everything else on.
GATEWAY = """
import os
import httpx

async def app(scope, receive, send):
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    headers.pop("host")
    if "RESTARTS" in os.environ:
        headers["traceparent"] = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    else:
        headers.pop("traceparent")
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.get(os.environ["ONWARDS"], headers=headers)
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
    await send(start)
    await send({"type": "http.response.body", "body": answer.content})
"""


@pytest.fixture
def services(tmp_path):
    """Starts services in a row, the last one first; gives the first one."""
    with http_receiver() as receiver, ExitStack() as running:

        def start(*row):
            onwards = {}
            for module, variables in reversed(row):
                folder = tmp_path / str(len(list(tmp_path.iterdir())))
                folder.mkdir()
                (folder / "app.py").write_text(module)
                service = running.enter_context(web_server("uvicorn", folder, receiver, **onwards, **variables))
                onwards = {"ONWARDS": f"http://127.0.0.1:{service.port}/"}
            start.last = next(path for path in (tmp_path / "0").glob("*.log"))
            return service

        def finish():
            running.close()
            return receiver.spans

        start.finish = finish
        yield start


def ask(service, tenant=None, **headers):
    """The tenant in each service, as each one tells it."""
    status, text = service.get("/", tenant, **headers)
    assert status == 200, service.log.read_text()[-3000:]
    return text


@pytest.mark.parametrize("propagators", [None, "b3", "b3multi,baggage", "tracecontext,b3"])
def test_the_tenant_goes_over_three_hops_with_nothing_but_the_key(services, propagators):
    """And is on every span of the trace, whatever carries the trace."""
    settings = KEY if propagators is None else {**KEY, "OTEL_PROPAGATORS": propagators}
    first = services(*[(HOP, settings)] * (3 if propagators is None else 2))
    count = 3 if propagators is None else 2
    for tenant in ("acme inc+co", "globex"):
        assert ask(first, tenant) == str([tenant] * count).replace("'", '"').replace(", ", ",")
        assert ask(first) == str(["null"] * count).replace("'", "").replace(", ", ",")
    spoofed = {"baggage": "tenant.id=evil", "traceparent": f"00-{0xABC:032x}-{0xDEF:016x}-01"}
    assert "evil" not in ask(first, **spoofed)
    spans = services.finish()
    traces = {}
    for span in spans:
        if not span.name.endswith(("http receive", "fastapi.dependencies")):
            traces.setdefault(span.trace_id, []).append(span)
    told = [({span.tenant for span in spans}, [span.kind for span in spans].count(SERVER)) for spans in traces.values()]
    assert sorted(told, key=str) == sorted(
        [({"acme inc+co"}, count), ({"globex"}, count), *[({None}, count)] * 3], key=str
    )


def test_a_service_without_tracium_in_the_middle_breaks_nothing(services):
    """It reads the tenant as plain baggage and writes it anew, with a plus for a space; the proof tells what was meant."""
    first = services((HOP, KEY), (PLAIN, {}), (HOP, KEY))
    for tenant in ("acme", "acme inc+co;a,b=%"):
        assert ask(first, tenant) == f'["{tenant}","plain","{tenant}"]'
    assert ask(first, baggage="tenant.id=evil") == '[null,"plain",null]'
    spans = services.finish()
    assert len({span.trace_id for span in spans if span.tenant == "acme"}) == 1
    assert {span.tenant for span in spans} == {None, "acme", "acme inc+co;a,b=%"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([(HOP, KEY), (HOP, {"TRACIUM_API_KEY": "sk_live_another9Qm2vX9rTz4L"})], "came with a signature that no key"),
        ([(HOP, {"TRACIUM_API_KEY": "sk_live_..."}), (HOP, KEY)], "came without a signature"),
        ([(HOP, KEY), (GATEWAY, {}), (HOP, KEY)], "came signed but without a trace"),
        ([(HOP, KEY), (GATEWAY, {"RESTARTS": "1"}), (HOP, KEY)], "came with the signature of another trace"),
    ],
)
def test_what_does_not_fit_is_dropped_and_said(services, row, reason):
    """The last service goes on without a tenant, and says once what to do."""
    first = services(*row)
    for _ in range(2):
        assert ask(first, "acme") == '["acme",null]'
    assert services.last.read_text().count(reason) == 1
