"""What comes in and goes out with baggage."""

from __future__ import annotations

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

propagator = TenantPropagator(CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()]))


@pytest.mark.parametrize(
    "header",
    [
        "tenant.id=evil",
        "color=blue,tenant.id=evil",
        "tenant%2Eid=evil",
        "tenant.id=a,tenant.id=evil",
    ],
)
def test_a_tenant_from_outside_is_dropped_and_said(header):
    """Anyone can send it."""
    context = propagator.extract({"baggage": header})
    attach(context)
    assert baggage.get_baggage("tenant.id", context) is None
    assert tracium.get_current_tenant() is None
    assert [notice.key for notice in notices.notices()] == ["tenant:unproven"]


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
