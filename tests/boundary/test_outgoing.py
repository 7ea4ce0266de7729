"""A request on its way out: the tenant goes to hosts inside, and nowhere else."""

from __future__ import annotations

import pytest
from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, attach
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import tracium
from tracium.boundary import outgoing
from tracium.boundary.hosts import InsideHosts
from tracium.boundary.outgoing import settle
from tracium.boundary.propagation import TenantPropagator
from tracium.boundary.signature import Keyring, Verdict
from tracium.boundary.trust import Trust, install_trust

RING = Keyring((b"a key of at least sixteen bytes",))
SPAN = trace.SpanContext(0x1234, 0x5678, is_remote=False, trace_flags=trace.TraceFlags(1))
UNSAMPLED = trace.SpanContext(0x1234, 0x5678, is_remote=False)
INSIDE, OUTSIDE = "orders.internal", "api.example.com"


@pytest.fixture(autouse=True)
def _shared():
    """An installation with a key and a propagator, as `tracium.init()` leaves it."""
    before = get_global_textmap()
    set_global_textmap(TenantPropagator(CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])))
    install_trust(Trust(RING))
    yield
    install_trust(Trust())
    set_global_textmap(before)


def begin(span=SPAN, tenant="acme", **others):
    """A current span, a tenant, other baggage."""
    context = trace.set_span_in_context(trace.NonRecordingSpan(span), Context())
    for name, value in others.items():
        context = baggage.set_baggage(name, value, context)
    attach(context)
    if tenant is not None:
        tracium.set_tenant(tenant)


def sent(host, **headers):
    """The headers of a request that an instrumented client sends."""
    get_global_textmap().inject(headers)
    settle(headers, host)
    return headers


def proven(headers):
    """The tenant that the next service believes."""
    attach(get_global_textmap().extract(headers, Context()))
    return tracium.get_current_tenant()


@pytest.mark.parametrize("span", [SPAN, UNSAMPLED])
@pytest.mark.parametrize("tenant", ["acme", " a+b,c;d=e%f", "😀" * 255])
def test_it_arrives_inside_with_its_proof(tenant, span):
    """Also where the trace is not sampled."""
    begin(span, tenant, color="blue")
    headers = sent(INSIDE)
    assert headers["baggage"].endswith(",color=blue")
    assert proven(headers) == tenant
    assert dict(baggage.get_all())["color"] == "blue"


def test_it_does_not_go_outside():
    """Other baggage does, as configured."""
    begin(color="blue")
    assert sent(OUTSIDE)["baggage"] == "color=blue"
    assert sent(None)["baggage"] == "color=blue"
    begin()
    assert "baggage" not in sent(OUTSIDE)


def test_it_is_gone_after_a_redirect_and_back_after_the_next():
    """Each request is judged anew, with the headers that the one before left."""
    begin(color="blue")
    headers = sent(INSIDE)
    settle(headers, OUTSIDE)
    assert headers["baggage"] == "color=blue"
    settle(headers, INSIDE)
    assert proven(headers) == "acme"


@pytest.mark.parametrize("written", ["tenant.id=acme", "tenant%2Eid=acme", " tenant.id = acme ;x=1", "tenant.id"])
def test_what_somebody_else_wrote_is_taken_out(written):
    """A header that the app passes on, with other baggage in it."""
    begin(tenant=None)
    for host in (INSIDE, OUTSIDE):
        assert sent(host, baggage=f"a=1,{written},tracium.tenant.signature=1-x")["baggage"] == "a=1"
        assert "baggage" not in sent(host, baggage=written)


@pytest.mark.parametrize("header", sorted(outgoing._OF_VENDORS))
def test_a_vendors_client_gets_none_whatever_its_host(header):
    """What stands inside may pass everything on to the vendor."""
    begin()
    assert "baggage" not in sent(INSIDE, **{header.title(): "1"})


def test_suppressed_instrumentation_leaks_nothing():
    """What a client writes by itself goes out without a tenant."""
    begin()
    with suppress_instrumentation():
        assert "baggage" not in sent(INSIDE, baggage="tenant.id=acme")


@pytest.mark.parametrize("tenant", [None, "cleared"])
def test_without_a_tenant_none_goes_out(tenant):
    """After a clear too."""
    begin(tenant=tenant)
    tracium.set_tenant(None)
    assert "baggage" not in sent(INSIDE)


def test_without_a_key_it_goes_out_unsigned():
    """For a service that believes this one by its address."""
    install_trust(Trust(hosts=InsideHosts.parse("api.example.com", "X")))
    begin()
    assert sent(INSIDE)["baggage"] == sent(OUTSIDE)["baggage"] == "tenant.id=acme"


@pytest.mark.parametrize(
    "traceparent",
    [
        f"00-{0xABC:032x}-{0xDEF:016x}-01",
        f"00-{SPAN.trace_id:032x}-{SPAN.span_id:016x}-01-more",
        f" 00-{0xABC:032x}-{0xDEF:016x}-00 ",
        f"01-{0xABC:032x}-{0xDEF:016x}-01-more",
        "broken",
        "",
    ],
)
def test_the_signature_is_for_the_trace_that_the_receiver_gets(traceparent):
    """Which is not always that of the current span: an app may pass a header on."""
    begin()
    headers = {"traceparent": traceparent}
    settle(headers, INSIDE)
    received = trace.get_current_span(TraceContextTextMapPropagator().extract(headers)).get_span_context().trace_id
    assert received in {0, 0xABC}
    signature = headers["baggage"].partition("tracium.tenant.signature=")[2] or None
    assert RING.verify(signature, "acme", received) is (Verdict.VALID if received else Verdict.UNSIGNED)


def test_it_belongs_to_the_trace_of_the_propagator_that_was_chosen():
    """With B3, a `traceparent` that lies in the headers means nothing."""
    from opentelemetry.propagators.b3 import B3MultiFormat

    set_global_textmap(TenantPropagator(B3MultiFormat()))
    begin()
    headers = sent(INSIDE, traceparent=f"00-{0xABC:032x}-{0xDEF:016x}-01")
    assert proven(headers) == "acme"


def test_a_fault_of_ours_sends_no_tenant(monkeypatch):
    """Under the test kit it is raised; the header is gone all the same."""

    class BrokenHosts(InsideHosts):
        def has(self, host):
            raise RuntimeError("as asked")

    install_trust(Trust(RING, hosts=BrokenHosts()))
    begin()
    headers = {"baggage": "tenant.id=acme"}
    with pytest.raises(RuntimeError, match="as asked"):
        settle(headers, INSIDE)
    assert headers == {}


@pytest.mark.parametrize("host", [INSIDE, "api.example.com"])
def test_a_plain_dict_may_write_the_name_as_it_likes(host):
    """Whatever was there is taken out."""
    begin()
    headers = {"Baggage": "tenant.id=globex", "BAGGAGE": "color=blue,tenant.id=initech"}
    settle(headers, host)
    assert [name for name in headers if name.lower() == "baggage"] == ["baggage"]
    assert "globex" not in str(headers)
    assert "initech" not in str(headers)
