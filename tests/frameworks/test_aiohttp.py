"""aiohttp's server: each request has the tenant that it proves or sets, and none of the one before on its connection."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from support.app import environment, free_port
from support.receiver import http_receiver
from support.web import APPS, WebServer

from tracium.boundary.signature import Keyring

KEY = "a key that is long enough"
SERVER = 2
TRACE = 0x0AF7651916CD43DD8448EB211C80319C
PARENT = f"00-{TRACE:032x}-b7ad6b7169203331-01"


@contextmanager
def running(folder, **variables):
    """The app in a process of its own, which ends with the block."""
    port, log = free_port(), Path(folder, "log")
    with http_receiver() as receiver, log.open("w") as output:
        given = {"TRACIUM_PROPAGATION_KEY": KEY, "PYTHONWARNINGS": "error"} | variables
        process = subprocess.Popen(
            [sys.executable, str(APPS / "aiohttp_app.py"), str(port)],
            env=environment(receiver, **given),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + 30
            while True:
                assert process.poll() is None, log.read_text()[-4000:]
                assert time.monotonic() < deadline
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            server = WebServer(process, port, log)
            yield server, receiver
            process.terminate()
            process.wait(20)
            assert server.trouble() == [], log.read_text()
        finally:
            process.kill()
            process.wait()


@pytest.fixture(params=["always_on", "always_off"])
def sampler(request):
    return request.param


KINDS = {"plain": 200, "body": 200, "stream": 200, "refuse": 403, "fail": 500}


def noted(server):
    """What the app noted, by the number of the request."""
    found = {}
    for number, where, tenant, trace_id in server.json("/noted"):
        found.setdefault(number, []).append((where, tenant, trace_id))
    return found


def test_requests_of_one_connection_are_kept_apart(tmp_path, sampler):
    """A tenant that is set in one holds to its end, in what is sent after the handler too, and not in the next."""
    tenants = ["acme", None, "globex", None]
    asked = {}
    with running(tmp_path, OTEL_TRACES_SAMPLER=sampler) as (server, receiver):
        connection = server.connect()
        for path, status in KINDS.items():
            for prefix in ("", "/inner"):
                for tenant in tenants:
                    number = len(asked)
                    asked[number] = tenant
                    answered, _ = server.get(f"{prefix}/{path}?n={number}", tenant, connection)
                    assert answered == status
        connection.close()
        seen = noted(server)
    for number, tenant in asked.items():
        before = [told for where, told, _ in seen[number] if where == "middleware" or where.endswith("begins")]
        after = [told for where, told, _ in seen[number] if where != "middleware" and not where.endswith("begins")]
        assert (set(before), set(after)) == ({None}, {tenant}), seen[number]
        # In what is sent after the handler as well.
        assert len({trace_id for _, _, trace_id in seen[number]}) == 1, seen[number]
    if sampler == "always_on":
        by_request = {}
        for span in receiver.spans:
            by_request.setdefault(span.trace_id, []).append(span)
        for spans in by_request.values():
            numbers = {span.attributes["request"] for span in spans if "request" in span.attributes}
            if numbers:
                (number,) = numbers
                assert [span.kind for span in spans].count(SERVER) == 1, [span.name for span in spans]
                assert {span.tenant for span in spans} <= {asked[number], None}
                marked = [
                    span.tenant for span in spans if span.kind == SERVER or span.name in {"plain", "body", "prepare"}
                ]
                assert set(marked) == {asked[number]}, [(span.name, span.tenant) for span in spans]


def signed(tenant="acme", trace=TRACE):
    return f"tenant.id={tenant},tracium.tenant.signature={Keyring((KEY.encode(),)).sign(tenant, trace)}"


def test_only_a_proven_tenant_counts(tmp_path, sampler):
    """Before any span can take it; however the headers are written."""
    cases = [
        ("acme", [("traceparent", PARENT), ("baggage", signed())]),
        ("acme", [("traceparent", PARENT), ("Baggage", "color=red"), ("baggage", signed())]),
        ("", [("baggage", "tenant.id=evil")]),
        ("", [("BAGGAGE", "tenant%2Eid=evil")]),
        ("", [("traceparent", PARENT), ("baggage", signed(trace=1))]),
        ("", [("traceparent", PARENT), ("baggage", signed().replace("acme", "evil"))]),
        ("", [("traceparent", PARENT), ("baggage", signed()), ("baggage", "tenant.id=evil")]),
        ("", [("baggage", signed())]),
        ("", []),
    ]

    async def main(port):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
            for expected, headers in cases:
                async with session.get(f"http://127.0.0.1:{port}/plain", headers=headers) as answer:
                    assert await answer.text() == expected, headers

    with running(tmp_path, OTEL_TRACES_SAMPLER=sampler) as (server, receiver):
        asyncio.run(main(server.port))
    assert {span.tenant for span in receiver.spans} == ({"acme", None} if sampler == "always_on" else set())


def test_a_trusted_source_is_believed(tmp_path):
    """By the peer's address."""
    with running(tmp_path, TRACIUM_TRUSTED_SOURCES="127.0.0.0/8") as (server, _):
        assert server.get("/plain", baggage="tenant.id=acme") == (200, "acme")


def test_a_websocket_is_one_request(tmp_path):
    """From its beginning to its end, and the next one is another."""

    async def main(port):
        async with aiohttp.ClientSession() as session:
            for number, tenant in enumerate(["acme", None, "globex"]):
                headers = {"X-Tenant-ID": tenant} if tenant else {}
                async with session.ws_connect(f"http://127.0.0.1:{port}/websocket?n={number}", headers=headers) as ws:
                    await ws.send_str("hello")
                    assert await ws.receive_str() == "hello"

    with running(tmp_path) as (server, receiver):
        asyncio.run(main(server.port))
        seen = noted(server)
    for number, tenant in enumerate(["acme", None, "globex"]):
        assert {where: told for where, told, _ in seen[number]}["message"] == tenant
    assert [span.tenant for span in receiver.named("message")] == ["acme", None, "globex"]


def test_without_spans_requests_are_kept_apart_all_the_same(tmp_path):
    """The instrumentor is off."""
    with running(tmp_path, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="aiohttp-server") as (server, receiver):
        connection = server.connect()
        assert server.get("/plain", "acme", connection) == (200, "acme")
        assert server.get("/plain", None, connection) == (200, "")
        connection.close()
    assert {span.kind for span in receiver.spans} == {1}
