"""`split_by_tenant`: one request for each tenant, with its name in a header, over both protocols, on every signal."""

from __future__ import annotations

import os
import subprocess
import sys
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st
from support.receiver import grpc_receiver, http_receiver

from tracium.startup.split import header_value, split

TENANTS = ["acme", "globex", "org_123:workspace_456", "ü 100%", None]
APP = f"""
import logging
import tracium
from opentelemetry import metrics, trace

tracium.trace(logs=True, metrics=True, tenant_metrics=("shop.*",), split_by_tenant=True)
orders = metrics.get_meter("shop").create_counter("shop.orders")
taken = metrics.get_meter("shop").create_histogram("shop.taken")
for _ in range(3):
    for tenant in {TENANTS!r}:
        with tracium.tenant(tenant), trace.get_tracer("shop").start_as_current_span("work"):
            logging.getLogger("shop").warning("made")
            orders.add(1)
            taken.record(2)
END_OF_THE_APP
"""


def run(url, protocol, end="tracium.shutdown()", **variables):
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TRACIUM_"))}
    environ |= {"TRACIUM_ENDPOINT": url, "TRACIUM_PROTOCOL": protocol, "TRACIUM_API_KEY": "key", **variables}
    app = APP.replace("END_OF_THE_APP", end)
    done = subprocess.run([sys.executable, "-c", app], env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    # What the app itself logs is no complaint.
    return done.stderr.replace("made\n", "")


def noting(receiver):
    """Note of everything that arrives the header of its request."""
    seen = {"spans": [], "logs": [], "points": []}
    for kind, name in (("spans", "take"), ("logs", "take_logs"), ("points", "take_metrics")):
        original = getattr(receiver, name)

        def taken(body, headers, kind=kind, take=original):
            before = len(getattr(receiver, kind))
            headers = list(headers)
            take(body, headers)
            header = {key.lower(): value for key, value in headers}.get("x-tenant-id")
            seen[kind].extend((header, one.tenant) for one in getattr(receiver, kind)[before:])

        setattr(receiver, name, taken)
    return seen


def assert_split(seen, receiver):
    wanted = sorted(map(str, TENANTS * 3))
    assert sorted(str(tenant) for _, tenant in seen["spans"]) == wanted
    assert sorted(str(tenant) for _, tenant in seen["logs"] if tenant in TENANTS) == wanted
    ours = [point for point in receiver.points if point.metric.startswith("shop.")]
    assert sorted(str(point.tenant) for point in ours) == sorted(map(str, TENANTS * 2))
    for kind, pairs in seen.items():
        assert {(header and unquote(header), tenant) for header, tenant in pairs if header != tenant or not header} <= {
            (None, None),
            ("ü 100%", "ü 100%"),
        }, kind
    assert {headers["authorization"] for headers in receiver.headers} == {"Bearer key"}


def test_over_http():
    """Nothing is lost, nothing mixed, and what has no tenant has no header."""
    with http_receiver() as receiver:
        seen = noting(receiver)
        assert run(receiver.url, "http/protobuf") == ""
        assert_split(seen, receiver)


def test_over_grpc(monkeypatch):
    """The same, in the metadata of each call."""
    import support.receiver as module

    seen = []

    class Noting(module.Receiver):
        def __init__(self):
            super().__init__()
            seen.append(noting(self))

    monkeypatch.setattr(module, "Receiver", Noting)
    with grpc_receiver() as receiver:
        assert run(receiver.url, "grpc") == ""
        assert_split(seen[0], receiver)


def test_not_unless_it_is_asked_for():
    """One request holds all tenants, and names none."""
    with http_receiver() as receiver:
        seen = noting(receiver)
        run(
            receiver.url,
            "http/protobuf",
            TRACIUM_FLUSH_TIMEOUT="5",
            end="tracium.init(split_by_tenant=False); tracium.shutdown()",
        )
        assert len(seen["spans"]) == len(TENANTS) * 3
        assert {header for pairs in seen.values() for header, _ in pairs} == {None}


def test_what_fails_for_one_tenant_is_not_lost_for_the_others():
    """Each request is tried; how many spans did not arrive is said."""
    with http_receiver() as receiver:
        take = receiver.take

        def refusing(body, headers):
            headers = list(headers)
            if dict(headers).get("x-tenant-id") == "globex":
                raise ConnectionResetError
            take(body, headers)

        receiver.take = refusing
        said = run(receiver.url, "http/protobuf", TRACIUM_FLUSH_TIMEOUT="3")
        assert {span.tenant for span in receiver.spans} == {*TENANTS} - {"globex"}
        assert "3 of 15 spans did not arrive" in said


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=255))
def test_a_header_holds_any_tenant(tenant):
    """What is sent is visible ASCII, gives the tenant back, and is the tenant itself where it can be."""
    value = header_value(tenant)
    assert value.isascii()
    assert all("!" <= character <= "~" for character in value)
    assert unquote(value) == tenant
    if tenant.isascii() and tenant.isalnum():
        assert value == tenant


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "", None, 7]), st.integers())))
def test_parts_are_the_whole(things):
    """Every thing is in exactly one part, that of its tenant; what is no tenant's name is nobody's."""
    parts = split(things, lambda thing: {"tenant.id": thing[0]})
    assert sorted(map(repr, things)) == sorted(repr(thing) for part in parts for thing in part.data)
    assert len({part.tenant for part in parts}) == len(parts)
    for part in parts:
        assert part.count == len(part.data) > 0
        assert {thing[0] if thing[0] in {"a", "b"} else None for thing in part.data} == {part.tenant}
