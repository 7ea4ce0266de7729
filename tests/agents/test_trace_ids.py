"""Runs that have the trace id that their caller wants, and still belong to their request."""

from __future__ import annotations

import uuid

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import NoOpTracerProvider, SpanKind, get_current_span
from support.foreign import ForeignSpan

import tracium
from tracium import notices
from tracium.agents import tracer as tracer_module

WANTED = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("given", [WANTED, WANTED.upper(), f" {WANTED} ", str(uuid.UUID(WANTED))])
def test_the_run_is_the_root_of_that_trace(pipeline, given):
    """Digits in either case, or a UUID; the next run has an id of its own again."""
    with tracium.start_trace("agent", trace_id=given) as run, run.span("tool", "search"):
        assert run.id == WANTED
    with tracium.start_trace("other") as other:
        assert other.id != WANTED
    step, agent, _ = pipeline.spans
    assert agent.parent is None
    assert {f"{span.context.trace_id:032x}" for span in (step, agent)} == {WANTED}
    assert "tracium.trace.id" not in agent.attributes
    assert notices.notices() == ()


def test_in_a_request_it_keeps_tenant_and_request_and_is_linked(pipeline):
    """The request's own trace goes on afterwards."""
    with pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER) as request:
        tracium.set_tenant("acme")
        with tracium.start_trace("agent", trace_id=WANTED):
            assert tracium.get_current_tenant() == "acme"
            pipeline.tracer.start_span("inside").end()
        assert get_current_span() is request
        pipeline.tracer.start_span("after").end()
    spans = {span.name: span for span in pipeline.spans}
    agent, request = spans["invoke_agent agent"], spans["request"]
    assert agent.parent is None
    assert [link.context for link in agent.links] == [request.context]
    assert spans["inside"].parent.span_id == agent.context.span_id
    assert spans["after"].parent.span_id == request.context.span_id
    assert set(pipeline.tenants().values()) == {"acme"}


def test_a_tenant_that_is_set_inside_binds_the_request(pipeline):
    """And marks the open spans up to the request's, in both traces; two requests stay apart."""
    for tenant in ("acme", "globex"):
        pipeline.clear()
        with (
            pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER),
            pipeline.tracer.start_as_current_span("between"),
            tracium.start_trace("agent", trace_id=uuid.uuid4().hex) as run,
            run.span("plan"),
        ):
            tracium.set_tenant(tenant)
        assert pipeline.tenants() == dict.fromkeys(["plan", "invoke_agent agent", "between", "request"], tenant)


def test_a_cleared_tenant_stays_cleared(pipeline):
    """`tenant(None)` gives none inside either."""
    with pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER):
        tracium.set_tenant("acme")
        with tracium.tenant(None), tracium.start_trace("agent", trace_id=WANTED):
            assert tracium.get_current_tenant() is None
    assert pipeline.tenants() == {"invoke_agent agent": None, "request": "acme"}


def test_within_that_trace_it_is_a_child(pipeline):
    """There is one root."""
    with tracium.start_trace("outer", trace_id=WANTED) as outer, tracium.start_trace("inner", trace_id=WANTED) as inner:
        assert inner.id == WANTED
        assert inner.parent_span_id == f"{outer._span.get_span_context().span_id:016x}"
    assert [span.links for span in pipeline.spans] == [(), ()]


class Deciding(Sampler):
    """Notes what it is asked, and keeps what it is told to."""

    def __init__(self):
        self.asked = []

    def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None):
        self.asked.append((f"{trace_id:032x}", name))
        kept = name != "invoke_agent dropped"
        return SamplingResult(Decision.RECORD_AND_SAMPLE if kept else Decision.DROP)

    def get_description(self):
        return "Deciding"


def test_a_sampler_sees_the_wanted_id(make_pipeline, monkeypatch):
    """And a run that it drops keeps its request and tenant."""
    sampler = Deciding()
    pipeline = make_pipeline(sampler=ParentBased(sampler))
    monkeypatch.setattr(tracer_module, "get_tracer_provider", lambda: pipeline.provider)
    with pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER):
        with tracium.start_trace("dropped", trace_id=WANTED) as run:
            assert run.id == WANTED
            tracium.set_tenant("acme")
        assert tracium.get_current_tenant() == "acme"
    assert (WANTED, "invoke_agent dropped") in sampler.asked
    assert pipeline.tenants() == {"request": "acme"}


def test_unsampled_requests_keep_their_tenant(make_pipeline, monkeypatch):
    """Nothing is recorded, and the tenant is there."""
    pipeline = make_pipeline(sampler=ALWAYS_OFF)
    monkeypatch.setattr(tracer_module, "get_tracer_provider", lambda: pipeline.provider)
    with tracium.tenant("acme"), tracium.start_trace("agent", trace_id=WANTED) as run:
        assert tracium.get_current_tenant() == "acme"
        assert run.id == WANTED


def test_another_vendors_provider_keeps_the_wanted_id_as_an_attribute(monkeypatch):
    """And that is said."""
    span = ForeignSpan()

    class Provider(NoOpTracerProvider):
        def get_tracer(self, *_args, **_kwargs):
            return Tracer()

    class Tracer(trace.NoOpTracer):
        def start_span(self, *_args, **_kwargs):
            return span

    monkeypatch.setattr(tracer_module, "get_tracer_provider", Provider)
    with tracium.start_trace("agent", trace_id=WANTED) as run:
        assert run.id == f"{1:032x}"
    assert span.written["tracium.trace.id"] == WANTED
    assert [notice.key for notice in notices.notices()] == ["agent:ids"]


def test_all_calls_of_a_decorated_function_are_roots_of_its_trace(pipeline):
    """As the older SDK had it."""
    work = tracium.agent_trace("agent", trace_id=WANTED)(lambda: None)
    work()
    work()
    assert [(f"{span.context.trace_id:032x}", span.parent) for span in pipeline.spans] == [(WANTED, None)] * 2


def test_user_and_session_hold_in_it(pipeline):
    """Those of the request, and those that are set inside, for the request's open spans too."""
    with pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER):
        tracium.set_tenant("acme")
        tracium.set_user("u-1")
        with (
            pipeline.tracer.start_as_current_span("between"),
            tracium.start_trace("agent", trace_id=WANTED) as run,
        ):
            tracium.set_session("s-1")
            run.set_token_usage(input=1)
    spans = {span.name: span.attributes for span in pipeline.spans}
    assert set(spans) == {"chat", "invoke_agent agent", "between", "request"}
    for attributes in spans.values():
        assert (attributes["tenant.id"], attributes["user.id"], attributes["session.id"]) == ("acme", "u-1", "s-1")
