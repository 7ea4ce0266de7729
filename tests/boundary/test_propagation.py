"""What comes in and goes out with baggage."""

from __future__ import annotations

import importlib.util
import logging
import re
from pathlib import Path

import pytest
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import attach, get_current
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import tracium
from tracium import notices
from tracium.boundary.propagation import TenantPropagator, install
from tracium.boundary.trust import Trust, install_trust

propagator = TenantPropagator(CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()]))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("tenant.id=evil", "unproven"),
        ("color=blue,tenant.id=evil", "unproven"),
        ("tenant%2Eid=evil", "unproven"),
        ("tenant.id=a,tenant.id=evil", "ambiguous"),
    ],
)
def test_a_tenant_from_outside_is_dropped_and_said(header, reason):
    """Anyone can send it."""
    context = propagator.extract({"baggage": header})
    attach(context)
    assert baggage.get_baggage("tenant.id", context) is None
    assert tracium.get_current_tenant() is None
    assert [notice.key for notice in notices.notices()] == [f"tenant:{reason}"]


@pytest.mark.parametrize("header", ["tenant.id = evil ", "tenant.id=evil;x=1", " tenant.id=evil", "tenant%2eid=evil"])
def test_no_way_to_write_it_gets_it_in(header):
    """What the baggage propagator reads of it differs between its releases."""
    context = propagator.extract({"baggage": header})
    assert baggage.get_baggage("tenant.id", context) is None


def test_other_baggage_flows_both_ways():
    """It is not ours."""
    context = propagator.extract({"baggage": "color=blue,tenant.id=evil"})
    assert dict(baggage.get_all(context)) == {"color": "blue"}
    attach(context)
    tracium.set_tenant("acme")
    headers = {}
    propagator.inject(headers)
    assert headers == {"baggage": "color=blue"}
    assert tracium.get_current_tenant() == "acme"


def test_the_tenant_does_not_go_out():
    """Whoever is called may be anybody."""
    tracium.set_tenant("acme")
    headers = {}
    propagator.inject(headers)
    assert headers == {}


def test_a_request_begins_without_the_tenant_of_its_thread():
    """Also with a context that is passed."""
    tracium.set_tenant("stale")
    for context in (propagator.extract({}), propagator.extract({}, get_current())):
        assert baggage.get_baggage("tenant.id", context) is None


def test_it_is_put_around_the_global_propagator_once():
    """What the user chose stays inside."""
    before = get_global_textmap()
    chosen = CompositePropagator([])
    set_global_textmap(chosen)
    try:
        ours = install()
        assert install() is ours is get_global_textmap()
        assert ours.inner is chosen
        assert ours.fields == chosen.fields
    finally:
        set_global_textmap(before)


@pytest.fixture
def fuzz():
    """The benchmark that sends hostile headers, with the key that it signs with."""
    path = Path(__file__).parents[2] / "benchmarks" / "border" / "fuzz.py"
    spec = importlib.util.spec_from_file_location("fuzz", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    logging.disable(logging.CRITICAL)
    install_trust(Trust(module.RING))
    yield module
    install_trust(Trust())
    logging.disable(logging.NOTSET)


def test_hostile_headers_get_no_tenant_in_and_raise_nothing(fuzz):
    """A small run of the benchmark; some of its requests have the proof in them, and are believed."""
    believed, accepted, raised, _ = fuzz.fuzz(10_000)
    assert (accepted, raised) == ([], [])
    assert believed


@pytest.mark.parametrize("text", ["\udcff", "a=\udcff", "tenant.id=evil,a=\ud800"])
def test_what_is_no_text_raises_nothing(text):
    """OpenTelemetry's own propagator does."""
    assert baggage.get_all(propagator.extract({"baggage": text})) == {}


@pytest.mark.parametrize(
    "sent",
    ["a=1   ,  b=2", "a=1\t\t,\tb=2", "a = 1", "a=x%20%20y", " " * 5000 + "a=1" + " " * 3000],
)
def test_blanks_of_other_baggage_change_nothing(sent):
    """They are taken together, because OpenTelemetry's propagator takes a square of the time for them."""
    together = re.sub(r"[ \t]+", " ", sent)
    read = dict(baggage.get_all(propagator.extract({"baggage": sent})))
    assert read == dict(baggage.get_all(propagator.inner.extract({"baggage": together})))
    if len(sent) < 1000:
        assert read == dict(baggage.get_all(propagator.inner.extract({"baggage": sent})))


def test_a_propagator_in_the_place_of_ours_lets_no_tenant_through():
    """Apps set one of their own after `init`, or call OpenTelemetry's directly."""
    ours = install()
    try:
        set_global_textmap(ours.inner)
        context = get_global_textmap().extract({"baggage": "tenant.id=evil,color=blue"})
        assert dict(baggage.get_all(context)) == {"color": "blue"}
        direct = W3CBaggagePropagator().extract({"baggage": "tenant.id=evil"}, get_current())
        assert dict(baggage.get_all(direct)) == {}
        headers = {}
        with tracium.tenant("acme"):
            kept = W3CBaggagePropagator().extract({}, get_current())
            assert baggage.get_baggage("tenant.id", kept) == "acme"
            get_global_textmap().inject(headers)
            W3CBaggagePropagator().inject(headers, context=get_current())
        assert "acme" not in str(headers)
    finally:
        set_global_textmap(ours)
