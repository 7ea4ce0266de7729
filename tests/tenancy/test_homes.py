"""A user or session is one tenant's: where another tenant holds, it does not."""

from __future__ import annotations

import pickle

import pytest
from opentelemetry import baggage
from opentelemetry.context import attach, detach, get_current
from opentelemetry.trace import SpanKind
from support.people import child, request_of

import tracium
from tracium.queues import inject, message
from tracium.tenancy.arrival import Arrival
from tracium.tenancy.parcel import Parcel


def told(who, pipeline):
    """Tenant and user of each span."""
    users, tenants = who.of(pipeline), pipeline.tenants()
    return {name: (tenants[name], users[name]) for name in users}


@pytest.mark.parametrize("how", ["set", "scope"])
def test_a_block_of_another_tenant_drops_it(who, pipeline, how):
    """And it holds again where its tenant does."""
    with tracium.tenant("acme"):
        if how == "set":
            who.set("u-1")
        with who.scope("u-1"):
            with tracium.tenant("globex"):
                assert who.current() is None
                child(pipeline, "other")
                with tracium.tenant("acme"):
                    assert who.current() == "u-1"
                    child(pipeline, "back")
                with who.scope("u-2"):
                    assert who.current() == "u-2"
                    child(pipeline, "another's own")
            with tracium.tenant(None):
                assert who.current() is None
                child(pipeline, "nobody")
            child(pipeline, "own")
    assert told(who, pipeline) == {
        "other": ("globex", None),
        "back": ("acme", "u-1"),
        "another's own": ("globex", "u-2"),
        "nobody": (None, None),
        "own": ("acme", "u-1"),
    }


@pytest.mark.parametrize("requests", [True, False])
def test_setting_another_tenant_drops_it(who, pipeline, requests):
    """Also in a request, which is mixed then and nobody's where nothing is said."""
    with request_of(pipeline.tracer) if requests else pipeline.tracer.start_as_current_span("request"):
        tracium.set_tenant("acme")
        who.set("u-1")
        before = get_current()
        tracium.set_tenant("globex")
        assert who.current() is None
        child(pipeline, "other")
        who.set("u-2")
        child(pipeline, "another's own")
        token = attach(before)
        child(pipeline, "own")
        detach(token)
    assert told(who, pipeline) == {
        "other": ("globex", None),
        "another's own": ("globex", "u-2"),
        "own": ("acme", "u-1"),
        "request": ("acme", "u-1"),
    }


def test_a_mixed_request_has_no_user_to_fall_back_to(who, pipeline):
    """As it has no tenant: also where its first tenant is said, because nobody knows whose user was meant."""
    with request_of(pipeline.tracer):
        tracium.set_tenant("acme")
        before = get_current()
        who.set("u-1")
        for name in ("single", "mixed"):
            token = attach(before)
            child(pipeline, name)
            child(pipeline, f"{name} server", kind=SpanKind.PRODUCER)
            assert who.current() == ("u-1" if name == "single" else None)
            tracium.set_tenant("globex")
            detach(token)
    assert told(who, pipeline) == {
        "single": ("acme", "u-1"),
        "single server": ("acme", "u-1"),
        "mixed": ("acme", None),
        "mixed server": ("acme", None),
        "request": ("acme", "u-1"),
    }


def test_a_user_without_a_tenant_goes_with_the_tenant_that_is_set_next(who, pipeline):
    """Who somebody is may be known before whose they are; a third tenant's they are not."""
    with request_of(pipeline.tracer):
        who.set("u-1")
        child(pipeline, "before")
        tracium.set_tenant("acme")
        assert who.current() == "u-1"
        child(pipeline, "after")
        with tracium.tenant("globex"):
            assert who.current() is None
            child(pipeline, "other")
    assert told(who, pipeline) == {
        "before": (None, "u-1"),
        "after": ("acme", "u-1"),
        "other": ("globex", None),
        "request": ("acme", "u-1"),
    }


def test_the_requests_tenant_may_come_from_elsewhere(who, pipeline):
    """From a thread with a copy of the context; then a block of another tenant drops the user as well."""
    with request_of(pipeline.tracer):
        context = get_current()
        who.set("u-1")
        mine = get_current()
        token = attach(context)
        tracium.set_tenant("acme")
        detach(token)
        token = attach(mine)
        child(pipeline, "own")
        with tracium.tenant("globex"):
            child(pipeline, "other")
        tracium.set_tenant(None)
        assert who.current() is None
        child(pipeline, "cleared")
        detach(token)
    assert told(who, pipeline) == {
        "own": ("acme", "u-1"),
        "other": ("globex", None),
        "cleared": ("acme", "u-1"),
        "request": ("acme", "u-1"),
    }


def test_a_requests_user_whose_tenant_came_from_elsewhere_is_no_others(who, pipeline):
    """The context has cleared its tenant before, so nothing but the request says whose user it is."""
    with request_of(pipeline.tracer):
        context = get_current()
        who.set("u-1")
        tracium.set_tenant(None)
        mine = get_current()
        token = attach(context)
        tracium.set_tenant("acme")
        detach(token)
        token = attach(mine)
        tracium.set_tenant("globex")
        assert who.current() is None
        child(pipeline, "other")
        detach(token)
    assert told(who, pipeline) == {"other": ("globex", None), "request": ("acme", "u-1")}


def test_a_user_of_another_tenant_is_not_the_requests(who, pipeline):
    """It was set for a piece of work within."""
    with request_of(pipeline.tracer):
        tracium.set_tenant("acme")
        with tracium.tenant("globex"), pipeline.tracer.start_as_current_span("work"):
            who.set("u-2")
            child(pipeline, "below")
        assert who.current() is None
        child(pipeline, "between")
        who.set("u-1")
    assert told(who, pipeline) == {
        "work": ("globex", "u-2"),
        "below": ("globex", "u-2"),
        "between": ("acme", None),
        "request": ("acme", "u-1"),
    }


def test_a_block_that_was_open_before_does_not_get_the_requests_user(who, pipeline):
    """The request learns its user while another tenant's work is under way."""
    with request_of(pipeline.tracer):
        tracium.set_tenant("acme")
        outside = get_current()
        with tracium.tenant("globex"):
            token = attach(outside)
            who.set("u-1")
            detach(token)
            assert who.current() is None
            child(pipeline, "other")
    assert told(who, pipeline) == {"other": ("globex", None), "request": ("acme", "u-1")}


def test_a_user_that_is_set_after_the_tenant_was_cleared_is_not_the_cleared_ones(who, pipeline):
    """The request's spans keep their tenant and not its user, until a tenant is set."""
    with request_of(pipeline.tracer):
        tracium.set_tenant("acme")
        tracium.set_tenant(None)
        who.set("u-2")
        assert who.current() == "u-2"
        child(pipeline, "between")
        tracium.set_tenant("globex")
        assert who.current() == "u-2"
        child(pipeline, "after")
    assert told(who, pipeline) == {
        "between": ("acme", None),
        "after": ("globex", "u-2"),
        "request": ("acme", None),
    }


def test_a_span_that_was_given_another_tenant_gets_no_user(who, pipeline):
    """Neither at its start nor later, nor from the request."""
    with request_of(pipeline.tracer):
        tracium.set_tenant("acme")
        with pipeline.tracer.start_as_current_span("open", attributes={"tenant.id": "globex"}):
            who.set("u-1")
        child(pipeline, "started", attributes={"tenant.id": "globex"})
        child(pipeline, "cannot be", attributes={"tenant.id": 7})
        child(pipeline, "same", attributes={"tenant.id": "acme"})
    assert told(who, pipeline) == {
        "open": ("globex", None),
        "started": ("globex", None),
        "cannot be": (None, None),
        "same": ("acme", "u-1"),
        "request": ("acme", "u-1"),
    }


def test_a_tenant_that_other_code_writes_into_baggage_counts(who, pipeline):
    """It is the one source of truth, so the user is dropped with it."""
    with request_of(pipeline.tracer):
        tracium.set_tenant("acme")
        who.set("u-1")
        attach(baggage.set_baggage("color", "blue"))
        child(pipeline, "own")
        attach(baggage.set_baggage("tenant.id", "globex"))
        assert who.current() is None
        child(pipeline, "other")
        attach(baggage.remove_baggage("tenant.id"))
        assert who.current() is None
    assert told(who, pipeline) == {
        "own": ("acme", "u-1"),
        "other": ("globex", None),
        "request": ("acme", "u-1"),
    }


def test_a_default_is_no_tenant(who, make_pipeline):
    """Who has no tenant has a user all the same, also when the tenant comes later."""
    pipeline = make_pipeline(default="anonymous")
    with request_of(pipeline.tracer), pipeline.tracer.start_as_current_span("open"):
        who.set("u-1")
        child(pipeline, "before")
        tracium.set_tenant("acme")
        child(pipeline, "after")
    assert told(who, pipeline) == {
        "before": ("anonymous", "u-1"),
        "after": ("acme", "u-1"),
        "open": ("acme", "u-1"),
        "request": ("acme", "u-1"),
    }


def test_a_request_below_another_span_inherits_both_or_none(who, pipeline):
    """A SERVER or CONSUMER span and nothing else."""
    with tracium.tenant("acme"), who.scope("u-1"):
        with request_of(pipeline.tracer, "both", extracts=False):
            context = get_current()
            who.set(None)
            child(pipeline, "http send")
        with tracium.tenant("globex"), request_of(pipeline.tracer, "other", extracts=False):
            child(pipeline, "below")
        with request_of(pipeline.tracer, "extracts"):
            child(pipeline, "inside")
        token = attach(context)
        child(pipeline, "late")
        detach(token)
    assert told(who, pipeline) == {
        "both": ("acme", "u-1"),
        "http send": ("acme", "u-1"),
        "other": ("globex", None),
        "below": ("globex", None),
        "extracts": (None, None),
        "inside": (None, None),
        "late": ("acme", "u-1"),
    }


def test_what_is_set_before_the_server_span_begins_is_its_own(who, pipeline):
    """Between where the request arrives and where its span begins, in either order; the last one counts there."""
    for number, verbs in enumerate([(tracium.set_tenant, who.set), (who.set, tracium.set_tenant), (who.set,)]):
        carrier = {}
        arrival = Arrival(carrier, get_current())
        token = attach(arrival.context)
        for verb in verbs:
            verb("x")
        who.set("y")
        context = arrival.resume(carrier, get_current(), get_current())
        attach(context)
        with pipeline.tracer.start_as_current_span(f"{number}", kind=SpanKind.SERVER):
            assert who.current() == "y"
        arrival.close()
        detach(token)
    assert told(who, pipeline) == {"0": ("x", "y"), "1": ("x", "y"), "2": (None, "y")}


def test_a_message_takes_the_tenant_along_and_no_user(who, pipeline):
    """Neither in its headers nor by being processed where it was sent."""
    headers = {}
    with tracium.tenant("acme"), who.scope("a-user-id"):
        inject(headers)
        assert "a-user-id" not in str(headers)
        with message(headers):
            assert (tracium.get_current_tenant(), who.current()) == ("acme", None)


def test_a_parcel_for_another_process_takes_everything_along(who, pipeline):
    """What was said, what the request belongs to, and which tenant it goes with."""
    arrival = Arrival({}, get_current())
    attach(arrival.context)
    tracium.set_tenant("acme")
    bare = Parcel.of(get_current())
    who.set("u-1")
    for context, tenant, user in [
        (pickle.loads(pickle.dumps(Parcel.of(get_current()))).context(), "acme", "u-1"),
        (bare.context(), "acme", None),
    ]:
        token = attach(context)
        assert (tracium.get_current_tenant(), who.current()) == (tenant, user)
        with tracium.tenant("globex"):
            assert who.current() is None
        who.set(None)
        assert who.current() is None
        detach(token)
    who.set(None)
    cleared = pickle.loads(pickle.dumps(Parcel.of(get_current()))).context()
    token = attach(cleared)
    assert who.current() is None
    child(pipeline, "the request's")
    detach(token)
    assert told(who, pipeline) == {"the request's": ("acme", "u-1")}
