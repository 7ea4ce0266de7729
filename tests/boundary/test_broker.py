"""What goes into the headers of a message and comes out of them, whatever the user configured."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, attach
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator, default_getter, default_setter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import tracium
from tracium import notices
from tracium.boundary import broker
from tracium.boundary.propagation import TenantPropagator
from tracium.boundary.signature import Keyring
from tracium.boundary.trust import Trust, install_trust
from tracium.tenancy.block import here

tenants = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=255)
SPAN = trace.SpanContext(0x1234, 0x5678, is_remote=False, trace_flags=trace.TraceFlags(1))


class Single(TextMapPropagator):
    """A propagator as B3's: one header of its own, and no baggage."""

    def inject(self, carrier, context=None, setter=default_setter):
        span = trace.get_current_span(context).get_span_context()
        if span.is_valid:
            setter.set(carrier, "b3", f"{span.trace_id:032x}-{span.span_id:016x}-1")

    def extract(self, carrier, context=None, getter=default_getter):
        for value in getter.get(carrier, "b3") or ():
            trace_id, span_id, _ = value.split("-")
            span = trace.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True)
            return trace.set_span_in_context(trace.NonRecordingSpan(span), context)
        return Context() if context is None else context

    @property
    def fields(self):
        return {"b3"}


PROPAGATORS = {
    "none": [],
    "tracecontext": [TraceContextTextMapPropagator()],
    "baggage": [W3CBaggagePropagator()],
    "tracecontext,baggage": [TraceContextTextMapPropagator(), W3CBaggagePropagator()],
    "baggage,baggage": [W3CBaggagePropagator(), W3CBaggagePropagator()],
    "b3": [Single()],
}
HEADERS = {
    "none": {"baggage"},
    "tracecontext": {"traceparent", "baggage"},
    "baggage": {"baggage"},
    "tracecontext,baggage": {"traceparent", "baggage"},
    "baggage,baggage": {"baggage"},
    "b3": {"b3", "baggage"},
}


@pytest.fixture(params=[False, True], ids=["plain", "initialised"])
def initialised(request):
    """Whether our own propagator stands around the user's."""
    return request.param


@pytest.fixture(params=PROPAGATORS)
def propagators(request, initialised):
    before = get_global_textmap()
    chosen = CompositePropagator(PROPAGATORS[request.param])
    set_global_textmap(TenantPropagator(chosen) if initialised else chosen)
    yield request.param
    set_global_textmap(before)


def sent(context):
    carrier = {}
    broker.send(carrier, default_setter, context)
    return carrier


def context_of(tenant, others, span=None):
    """A context as an app has it."""
    context = Context()
    for name, value in others.items():
        context = baggage.set_baggage(name, value, context)
    if tenant is not None:
        context = baggage.set_baggage("tenant.id", tenant, context)
    return context if span is None else trace.set_span_in_context(trace.NonRecordingSpan(span), context)


@pytest.mark.parametrize("others", [{}, {"color": "blue"}, {"big": "x" * 4000, "bigger": "y" * 4000, "size": "9"}])
def test_the_tenant_goes_along_whatever_was_configured(propagators, others):
    """Propagators are about traces and other baggage; the tenant is ours to carry."""
    carrier = sent(context_of(" a+b,c ", others, SPAN))
    assert set(carrier) == HEADERS[propagators] <= broker.fields()
    context, tenant = broker.receive(carrier, default_getter, Context())
    assert tenant == " a+b,c "
    assert len(carrier["baggage"]) <= 8192
    carried = trace.get_current_span(context).get_span_context()
    assert carried.trace_id == (SPAN.trace_id if propagators not in {"none", "baggage", "baggage,baggage"} else 0)
    read = dict(baggage.get_all(context))
    assert read.items() <= others.items()
    if "baggage" in propagators and len(others) < 2:
        assert read == others


def test_without_a_tenant_there_is_none(propagators):
    """And nothing is written that needs no writing."""
    assert set(sent(context_of(None, {}, SPAN))) == HEADERS[propagators] - {"baggage"}
    carrier = sent(context_of(None, {"color": "blue"}))
    assert carrier == ({"baggage": "color=blue"} if "baggage" in propagators else {})
    assert broker.receive(carrier, default_getter, Context())[1] is None


def test_the_baggage_of_the_context_gets_no_tenant(propagators):
    """Who receives says what becomes of it; a context that only reads headers holds for nobody."""
    context, tenant = broker.receive({"baggage": "color=blue,tenant.id=acme"}, default_getter, Context())
    assert tenant == "acme"
    assert "tenant.id" not in baggage.get_all(context)


ODD = {"tenant.id ": "evil", "x,tenant.id=evil": "1", "tenant%2Eid": "evil", "+tenant.id": "evil"}


def names_nobody(others, tenant):
    """Whatever an app's baggage has beside it, what is read is `tenant`."""
    try:
        carrier = sent(context_of(tenant, {name: value for name, value in others.items() if name != "tenant.id"}))
    except UnicodeEncodeError:
        return  # OpenTelemetry's own propagator on a lone surrogate
    assert broker.receive(carrier, default_getter, Context())[1] == tenant


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=50) | st.integers(), max_size=8), tenants)
@example(ODD, "acme")
def test_no_entry_of_the_apps_baggage_takes_the_tenants_place(others, tenant):
    """However it is named."""
    names_nobody(others, tenant)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=50) | st.integers(), max_size=8))
@example(ODD)
def test_no_entry_of_the_apps_baggage_passes_for_a_tenant(others):
    """Where there is none."""
    names_nobody(others, None)


@pytest.mark.parametrize("state", ["set", "cleared", "nobody", "mixed", "of the request", "of another's request"])
def test_what_is_sent_is_what_get_current_tenant_says(state):
    """After a clear nothing goes out, though the request's spans keep its tenant."""
    propagator = TenantPropagator(CompositePropagator([]))
    if state != "set":
        attach(propagator.extract({}))
    tracium.set_tenant("acme")
    if state == "cleared":
        tracium.set_tenant(None)
    elif state == "mixed":
        tracium.set_tenant("globex")
    elif state == "of another's request":
        attach(propagator.extract({}))
    with tracium.tenant(None) if state == "nobody" else nullcontext():
        carrier = sent(here())
        expected = tracium.get_current_tenant()
    assert broker.receive(carrier, default_getter, Context())[1] == expected
    assert expected == {"set": "acme", "mixed": "globex", "of the request": "acme"}.get(state)


@pytest.fixture
def trusting():
    """Installs what the operator configured."""
    yield install_trust
    install_trust(Trust())


RING = Keyring((b"a key of at least sixteen bytes",))
TRACED = {"tracecontext", "tracecontext,baggage", "b3"}


def test_where_brokers_need_a_proof_a_signed_message_has_it(propagators, trusting):
    """In its trace, whatever carries that; what carries none can prove nothing."""
    trusting(Trust(RING, proven_brokers=True))
    carrier = sent(context_of(" a+b,c ", {"color": "blue"}, SPAN))
    assert broker.receive(carrier, default_getter, Context())[1] == (" a+b,c " if propagators in TRACED else None)
    carrier["baggage"] = carrier["baggage"].replace("%20a", "%20b")
    assert broker.receive(carrier, default_getter, Context())[1] is None


@pytest.mark.parametrize(
    ("ring", "header", "reason"),
    [
        (Keyring(), "tenant.id=acme", "unproven"),
        (RING, "tenant.id=acme", "unsigned"),
        (RING, "tenant.id=acme,tracium.tenant.signature=x", "forged"),
        (RING, f"tenant.id=acme,tracium.tenant.signature={RING.sign('acme', 5)}", "trace_mismatch"),
    ],
)
def test_where_brokers_need_a_proof_nothing_else_counts(trusting, ring, header, reason):
    """Where they do not, the same message has its tenant."""
    carrier = {"baggage": header, "traceparent": f"00-{SPAN.trace_id:032x}-{SPAN.span_id:016x}-01"}
    trusting(Trust(ring, proven_brokers=True))
    assert broker.receive(carrier, default_getter, Context())[1] is None
    assert [notice.key for notice in notices.notices()] == [f"tenant:{reason}"]
    trusting(Trust(ring))
    assert broker.receive(carrier, default_getter, Context())[1] == "acme"


def test_a_message_is_signed_where_there_is_a_key(trusting):
    """So that the setting can be made at the consumers first."""
    trusting(Trust(RING))
    assert "tracium.tenant.signature=1-" in sent(context_of("acme", {}, SPAN))["baggage"]
    assert sent(context_of("acme", {}))["baggage"] == "tenant.id=acme"
    trusting(Trust())
    assert sent(context_of("acme", {}, SPAN))["baggage"] == "tenant.id=acme"
