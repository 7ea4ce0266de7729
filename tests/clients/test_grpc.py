"""gRPC, sync and aio: the tenant goes along with calls that stay inside, and counts where it is proven."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from support.app import environment
from support.receiver import http_receiver

from tracium.boundary.signature import Keyring
from tracium.clients.target import host_of

APP = Path(__file__).parents[1] / "support" / "apps" / "grpc_app.py"
KEY = "a key that is long enough"
ACME = "acmé+ 1"
SERVER, CLIENT = 2, 3
TRACE = 0x0AF7651916CD43DD8448EB211C80319C
PARENT = ("traceparent", f"00-{TRACE:032x}-b7ad6b7169203331-01")


@contextmanager
def app(*arguments, **variables):
    """The app in a process of its own, which ends with the block."""
    with http_receiver() as receiver:
        process = subprocess.Popen(
            [sys.executable, str(APP), *arguments],
            env=environment(receiver, **{"TRACIUM_PROPAGATION_KEY": KEY, "PYTHONWARNINGS": "error"} | variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process, receiver
        finally:
            process.kill()
            process.communicate()


def told(process):
    """What the app printed at its end."""
    output, log = process.communicate("\n", timeout=60)
    assert process.returncode == 0, log[-4000:]
    assert "tracium failed" not in log
    return json.loads(output), log


@pytest.fixture(scope="module", params=["sync", "aio"])
def ran(request):
    """What the app saw with itself as client and server, and its spans."""
    with app(request.param) as (process, receiver):
        seen, _ = told(process)
        return seen, receiver.spans, request.param


def baggage_of(seen):
    return {value for call in seen for name, value in call["metadata"] if name == "baggage"}


def test_calls_inside_take_the_tenant_along(ran):
    """Of all four kinds, signed for their trace; other baggage stays, and a tenant that somebody wrote does not."""
    seen, _, kind = ran
    for name in ("inside", "inside given"):
        assert len(seen[name]) == (8 if kind == "sync" else 6)
        assert {call["tenant"] for call in seen[name]} == {ACME}
        for call in seen[name]:
            ((trace_id, baggage),) = [(dict(call["metadata"])["traceparent"][3:35], dict(call["metadata"])["baggage"])]
            assert baggage.startswith("tenant.id=acm%C3%A9%2B%201,tracium.tenant.signature=1-" + trace_id)
            assert baggage.endswith(",color=blue") == (name == "inside given")
    assert not any("hand-made" in baggage for baggage in baggage_of(seen["inside given"]))


def test_calls_to_others_take_no_tenant_along(ran):
    """They have the trace, and all other baggage; a tenant that somebody wrote is taken out."""
    seen, _, _ = ran
    assert {call["tenant"] for call in seen["outside"] + seen["outside given"]} == {None}
    assert baggage_of(seen["outside"]) == set()
    assert baggage_of(seen["outside given"]) == {"color=blue"}
    assert all("traceparent" in dict(call["metadata"]) for call in seen["outside"])
    assert "acm" not in json.dumps([seen["outside"], seen["outside given"]])


def test_the_apps_own_metadata_stays_as_it_is(ran):
    """It may be used for many calls."""
    assert ran[0]["unchanged"] is True


def test_each_call_is_a_request_of_its_own(ran):
    """The tenant around the server's start is nobody's, nor one that a call before set on the same thread."""
    seen, _, _ = ran
    assert {call["after"] for call in seen["set"]} == {"set-inside"}
    for name in ("nobody", "nobody after"):
        assert {(call["tenant"], call["after"]) for call in seen[name]} == {(None, None)}
        assert baggage_of(seen[name]) == set()


def test_a_refusal_reaches_the_caller_unaltered(ran):
    """With its code and its words."""
    assert ran[0]["error"] == ["INVALID_ARGUMENT", "no"]


def test_spans_of_both_ends_belong_to_the_tenant(ran):
    """Each trace has one tenant, or none; where the server's end was set inside, the client's has none."""
    seen, spans, _ = ran
    by_trace = {}
    for span in spans:
        by_trace.setdefault(span.trace_id, []).append(span)
    proven = {dict(call["metadata"])["traceparent"][3:35] for call in seen["inside"] + seen["inside given"]}
    for trace_id in proven:
        assert {span.kind for span in by_trace[trace_id]} >= {SERVER, CLIENT}
        assert {span.tenant for span in by_trace[trace_id]} == {ACME}
    for call in seen["outside"]:
        found = by_trace[dict(call["metadata"])["traceparent"][3:35]]
        assert {span.tenant for span in found if span.kind == CLIENT} == {ACME}
        assert {span.tenant for span in found if span.kind != CLIENT} == {None}
    for call in seen["set"]:
        found = by_trace[dict(call["metadata"])["traceparent"][3:35]]
        assert {span.tenant for span in found if span.kind != CLIENT} == {"set-inside"}


def test_between_two_answers_the_caller_has_its_own_context():
    """A stream's call belongs to whoever made it, and its span is not around what the caller does."""
    with app("sync") as (process, _):
        seen, _ = told(process)
    assert seen["lazy"][1:] == [None, False]
    assert {call["tenant"] for call in seen["lazy tenant"]} == {"acme"}


def test_handlers_that_are_no_async_generators(ran):
    """Those that write themselves, and plain functions: OpenTelemetry's instrumentor alone breaks both."""
    seen, _, kind = ran
    if kind == "aio":
        assert seen["written"] == ["1", "2", "3"]
        assert [call["tenant"] for call in seen["written tenant"]] == ["acme"] * 7


def signed(tenant="acme", trace=TRACE, key=KEY):
    signature = Keyring((key.encode(),)).sign(tenant, trace)
    return f"tenant.id={tenant},tracium.tenant.signature={signature}"


SPOOFED = {
    "plain": [("baggage", "tenant.id=evil")],
    "encoded name": [("baggage", "tenant%2Eid=evil")],
    "two entries": [("baggage", "color=red"), ("baggage", "tenant.id=evil")],
    "no trace": [("baggage", signed())],
    "another trace": [PARENT, ("baggage", signed(trace=1))],
    "another key": [PARENT, ("baggage", signed(key="somebody else's long key"))],
    "another tenant": [PARENT, ("baggage", signed().replace("acme", "evil"))],
    "one proven, one not": [PARENT, ("baggage", signed()), ("baggage", "tenant.id=evil")],
    "one not, one proven": [PARENT, ("baggage", "tenant.id=evil"), ("baggage", signed())],
    "another trace behind": [PARENT, ("baggage", signed()), ("traceparent", f"00-{1:032x}-b7ad6b7169203331-01")],
    "too long": [PARENT, ("baggage", f"{signed()},x={'y' * 8200}")],
    "broken": [PARENT, ("baggage", "tenant.id=%zz")],
    "bytes": [("baggage", b"tenant.id=evil")],
    "no text": [PARENT, ("baggage", "tenant.id=%FF")],
}
BELIEVED = {
    "proven": [PARENT, ("baggage", signed())],
    "proven, with others": [PARENT, ("baggage", f"color=red,{signed()}")],
    "proven, in two entries": [PARENT, ("baggage", "color=red"), ("baggage", signed())],
}


def ask(channel, metadata):
    """One call with one answer, one with a stream, from a client that knows nothing of tenants."""
    channel.unary_unary("/app.Service/One")(b"x", metadata=metadata)
    list(channel.unary_stream("/app.Service/Many")(b"x", metadata=metadata))


@pytest.mark.parametrize("kind", ["sync", "aio"])
@pytest.mark.parametrize("sampler", ["always_on", "always_off"])
def test_only_a_proven_tenant_counts(kind, sampler):
    """Whatever the metadata look like; before any span can take it, and sampled or not."""
    with app(kind, "serve", OTEL_TRACES_SAMPLER=sampler) as (process, receiver):
        with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
            for metadata in (*SPOOFED.values(), *BELIEVED.values()):
                ask(channel, metadata)
        seen, log = told(process)
    tenants = [call["tenant"] for call in seen["served"]]
    # Four answers to each.
    assert tenants == [None] * 4 * len(SPOOFED) + ["acme"] * 4 * len(BELIEVED)
    for reason in ("without a signature", "no key of this service", "another trace", "more than 8192 bytes"):
        assert reason in log
    assert {span.tenant for span in receiver.spans} == ({None, "acme"} if sampler == "always_on" else set())


def test_a_trusted_source_is_believed():
    """By the peer's address."""
    with app("sync", "serve", TRACIUM_TRUSTED_SOURCES="127.0.0.0/8") as (process, _):
        with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
            ask(channel, [("baggage", "tenant.id=acme")])
        seen, _ = told(process)
    assert {call["tenant"] for call in seen["served"]} == {"acme"}


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_without_spans_tenants_are_kept_all_the_same(kind):
    """The instrumentors are off: calls are kept apart, and what somebody wrote for others is taken out."""
    names = "grpc_client,grpc_server,grpc_aio_client,grpc_aio_server"
    with app(kind, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=names) as (process, receiver):
        seen, _ = told(process)
    assert {span.name for span in receiver.spans} == {"inside"}
    assert baggage_of(seen["outside"]) == set()
    assert baggage_of(seen["outside given"]) == {"color=blue"}
    assert {call["after"] for call in seen["set"]} == {"set-inside"}
    assert {(call["tenant"], call["after"]) for call in seen["nobody after"]} == {(None, None)}


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("localhost:50051", "localhost"),
        ("orders", "orders"),
        ("dns:///orders.svc:443", "orders.svc"),
        ("dns:orders:https", "orders"),
        ("dns://8.8.8.8/api.example.com:443", "api.example.com"),
        ("[::1]:443", "::1"),
        ("::1", "::1"),
        ("ipv4:10.0.0.1:80", "10.0.0.1"),
        ("ipv4:10.0.0.1:80,203.0.113.7:80", "203.0.113.7"),
        ("ipv6:[fd00::1]:80,[2001:db8::1]:80", "2001:db8::1"),
        ("unix:/run/a.sock", "localhost"),
        ("unix:///run/a.sock", "localhost"),
        ("unix-abstract:a", "localhost"),
        ("xds:///orders", None),
        ("google-c2p:///orders", None),
        ("vsock:2:80", None),
        ("other:orders", None),
        ("[::1]evil", None),
        ("", ""),
    ],
)
def test_the_host_of_a_target(target, host):
    """What cannot be told is outside."""
    assert host_of(target) == host
