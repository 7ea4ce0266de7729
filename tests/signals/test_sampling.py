"""Which spans are exported, by whose tenant, and with which weight."""

from __future__ import annotations

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    set_span_in_context,
    use_span,
)
from support.sampled import HIGH, Noting, Sampled, arriving, states

import tracium
from tracium import notices
from tracium.signals.sampling import Bounds, SampleRates
from tracium.tenancy import current


@pytest.mark.parametrize(
    ("tenant", "low", "kept", "weight"),
    [
        ("acme", True, True, "ot=th:0"),
        ("free-1", False, True, "ot=th:8"),
        ("free-1", True, False, None),
        ("none-1", False, False, None),
        (None, True, True, "ot=th:0"),
    ],
)
def test_a_trace_is_kept_by_its_tenants_share_and_says_its_weight(tenant, low, kept, weight):
    """All of it, with what ran before the tenant was known."""
    pipeline = Sampled()
    with pipeline.request(low=low):
        pipeline.work("look up the user")
        assert pipeline.names == []
        tracium.set_tenant(tenant)
        pipeline.work()
    assert pipeline.names == (["look up the user", "work", "request"] if kept else [])
    assert states(pipeline.spans) == ({weight} if kept else set())
    assert pipeline.sampling.held == 0


def test_the_weight_goes_out_over_otlp():
    """Where the Collector's ClickHouse exporter writes it into the column TraceState."""
    pipeline = Sampled()
    with pipeline.request():
        tracium.set_tenant("free-1")
    (sent,) = encode_spans(pipeline.spans).resource_spans[0].scope_spans[0].spans
    assert sent.trace_state == "ot=th:8"


def test_whoever_else_exports_gets_the_span_as_it_is():
    """A kept span is a copy; everything but the trace state is the same, what was dropped from it too."""
    pipeline = Sampled()
    other = InMemorySpanExporter()
    pipeline.provider.add_span_processor(SimpleSpanProcessor(other))
    with pipeline.request():
        tracium.set_tenant("free-1")
        with pipeline.tracer.start_as_current_span("work", links=[Link(SpanContext(1, 2, is_remote=False))]) as span:
            span.add_event("event")
            for number in range(200):
                span.set_attribute(f"key.{number}", number)
    for mine, theirs in zip(pipeline.spans, other.get_finished_spans(), strict=True):
        assert mine.context.trace_state.to_header() == "ot=th:8"
        assert theirs.context.trace_state.to_header() == ""
        assert mine.context.span_id == theirs.context.span_id
        assert mine.dropped_attributes == theirs.dropped_attributes
        for part in ("name", "parent", "kind", "status", "start_time", "end_time", "resource", "instrumentation_scope"):
            assert getattr(mine, part) == getattr(theirs, part)
        for part in ("attributes", "events", "links"):
            assert list(getattr(mine, part)) == list(getattr(theirs, part))
    assert pipeline.spans[0].dropped_attributes > 0


def test_what_starts_decides_as_what_ends_does():
    """Nothing waits longer than it must."""
    pipeline = Sampled()
    with pipeline.request():
        pipeline.work("before")
        assert pipeline.sampling.held == 1
        with tracium.tenant("free-1"):
            span = pipeline.tracer.start_span("within")
            assert pipeline.names == ["before"]
            span.end()
    with pipeline.request():
        pipeline.work("before")
        tracium.set_tenant("free-1")
        pipeline.tracer.start_span("after").end()
        assert pipeline.sampling.held == 0


def test_a_request_that_arrives_with_its_tenant_waits_for_nothing():
    """It is bound from its beginning."""
    pipeline = Sampled()
    with tracium.tenant("free-1"), pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER):
        with tracium.tenant(None):
            pipeline.work()
        assert pipeline.names == ["work"]


def test_the_tenant_of_the_request_decides_and_not_one_of_a_scope_in_it():
    """The first that is known, and the request's before that of a span."""
    pipeline = Sampled()
    with pipeline.request(low=True):
        pipeline.work("before")
        tracium.set_tenant("acme")
        with tracium.tenant("none-1"):
            pipeline.work()
    assert pipeline.names == ["before", "work", "request"]
    with pipeline.request(low=True):
        with tracium.tenant("none-1"):
            pipeline.work()
        tracium.set_tenant("acme")
    assert len(pipeline.spans) == 3


def test_a_default_tenant_decides_only_where_no_other_is_set():
    """The first explicit one replaces it."""
    pipeline = Sampled(default="none-default")
    with pipeline.request():
        pipeline.work("before")
        tracium.set_tenant("acme")
        pipeline.work("after")
    assert pipeline.names == ["before", "after", "request"]
    with pipeline.request():
        pipeline.work()
    assert len(pipeline.spans) == 3


def test_an_assumed_tenant_is_a_default_too():
    """As a task queue gives it to a job."""
    pipeline = Sampled()
    with pipeline.request():
        current.assume_tenant("none-1")
        pipeline.work()
        tracium.set_tenant("acme")
    assert pipeline.names == ["work", "request"]
    with pipeline.tracer.start_as_current_span("loop"), pipeline.request():
        current.assume_tenant("none-1")
        pipeline.work()
        tracium.set_tenant("acme")
    assert len(pipeline.spans) == 5


def test_a_job_for_many_is_one_trace_and_gets_one_decision():
    """By the first tenant that is known."""
    pipeline = Sampled()
    with pipeline.tracer.start_as_current_span("nightly"):
        for tenant in ("none-1", "acme"):
            with tracium.tenant(tenant):
                pipeline.work()
    assert pipeline.names == []


def test_two_requests_in_one_trace_are_decided_alike():
    """At the same time, and one after the other: a service that is called twice, or calls itself."""
    pipeline = Sampled()
    with pipeline.request(arriving()):
        with pipeline.request(arriving()):
            tracium.set_tenant("none-1")
        pipeline.work()
    with pipeline.request(arriving()):
        pipeline.work()
        tracium.set_tenant("acme")
    assert pipeline.names == []
    with pipeline.request(arriving(HIGH + 1)):
        with pipeline.request(arriving(HIGH + 1)):
            pipeline.work("inner")
        # Both are open, so it is not decided yet by nobody's share.
        tracium.set_tenant("none-1")
    assert pipeline.names == []


def test_a_trace_waits_for_the_last_of_its_requests():
    """The first may end before anybody knows whose the second is."""
    pipeline = Sampled()
    first, second = (pipeline.tracer.start_span(name, arriving(), kind=SpanKind.SERVER) for name in ("first", "second"))
    first.end()
    assert pipeline.sampling.held == 1
    with use_span(second, end_on_exit=True):
        tracium.set_tenant("none-1")
    assert pipeline.sampling.held == 0
    assert pipeline.names == []


def test_each_request_of_a_trace_keeps_its_own_trace_state():
    """Only OpenTelemetry's entry is written, and each may have come by another way."""
    pipeline = Sampled()
    for vendor in ("one", "two", "one"):
        with pipeline.request(arriving(state=[("vendor", vendor)])):
            tracium.set_tenant("free-1")
    assert [span.context.trace_state["vendor"] for span in pipeline.spans] == ["one", "two", "one"]
    assert {span.context.trace_state["ot"] for span in pipeline.spans} == {"th:8"}


def test_decisions_are_remembered_by_their_last_use():
    """The one that was used least recently is forgotten first."""
    pipeline = Sampled(bounds=Bounds(traces=2))
    for number, tenant in [(1, "none-1"), (2, "acme"), (1, None), (3, "acme"), (1, "acme"), (2, "none-1")]:
        with pipeline.request(arriving(HIGH + number)):
            tracium.set_tenant(tenant)
    assert [span.context.trace_id - HIGH for span in pipeline.spans] == [2, 3]


def test_work_that_outlives_its_request_follows_it():
    """A task that goes on after the answer."""
    pipeline = Sampled()
    for tenant in ("none-1", "acme"):
        with pipeline.request():
            tracium.set_tenant(tenant)
            going_on = pipeline.tracer.start_span("going on")
            context = set_span_in_context(going_on)
        late = pipeline.tracer.start_span("late", context)
        going_on.end()
        late.end()
    assert pipeline.names == ["request", "going on", "late"]
    assert {span.context.trace_id for span in pipeline.spans} == {HIGH + 2}


def test_a_trace_that_began_unseen_is_decided_by_what_is_seen():
    """Its weight is not known, because the sampler was not seen either."""
    pipeline = Sampled()
    seen_late = TracerProvider(id_generator=pipeline.ids, shutdown_on_exit=False)
    open_span = seen_late.get_tracer("tests").start_span("open", attributes={"tenant.id": "free-1"})
    below = pipeline.tracer.start_span("below", set_span_in_context(open_span))
    seen_late.add_span_processor(pipeline.sampling)
    open_span.end()
    below.end()
    assert sorted(pipeline.names) == ["below", "open"]
    pipeline.ids.high = False
    unseen = TracerProvider(id_generator=pipeline.ids, shutdown_on_exit=False).get_tracer("tests")
    spans = [unseen.start_span(one, attributes={"tenant.id": one}) for one in ("free-1", "acme")]
    explicit = arriving(HIGH + 99, [("ot", "rv:00000000000001")])
    spans.append(unseen.start_span("low", explicit, attributes={"tenant.id": "free-1"}))
    other = Sampled()
    for span in spans:
        span.end()
        other.sampling.on_end(span._readable_span())
    assert other.names == ["acme"]
    assert states(other.spans) == {""}


@pytest.mark.parametrize(
    ("before", "tenant", "after"),
    [
        # The higher threshold wins.
        ("th:8", "acme", "ot=th:8,vendor=1"),
        ("th:4", "free-1", "ot=th:8,vendor=1"),
        ("th:c", "free-1", "ot=th:c,vendor=1"),
        ("th:8;rv:ffffffffffffff", "free-1", "ot=th:8;rv:ffffffffffffff,vendor=1"),
        # It would have dropped this trace, so it is not believed, and the weight is unknown.
        ("th:ff8;rv:f0000000000000", "free-1", "ot=rv:f0000000000000,vendor=1"),
        # Explicit randomness decides.
        ("rv:00000000000001", "free-1", None),
        ("rv:00000000000001", "acme", "ot=th:0;rv:00000000000001,vendor=1"),
    ],
)
def test_what_samplers_before_have_said_counts(before, tenant, after):
    """As the specification has it for samplers on the way of finished spans."""
    pipeline = Sampled()
    with pipeline.request(arriving(state=[("ot", before), ("vendor", "1")])):
        tracium.set_tenant(tenant)
    assert [span.context.trace_state.to_header() for span in pipeline.spans] == ([] if after is None else [after])


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, ParentBased(ALWAYS_OFF)])
def test_what_the_sampler_drops_stays_dropped(sampler):
    """OTEL_TRACES_SAMPLER is asked first."""
    pipeline = Sampled(sampler=sampler)
    with pipeline.request():
        tracium.set_tenant("acme")
        pipeline.call()
    with pipeline.request(arriving(sampled=False)):
        pipeline.work()
    assert pipeline.names == []
    assert len(pipeline.sampling._traces.open) == 0


class Recording(Sampler):
    """Records and does not sample."""

    def should_sample(self, *args, **kwargs):
        return SamplingResult(Decision.RECORD_ONLY)

    def get_description(self):
        return "Recording"


def test_what_is_recorded_for_others_alone_is_none_of_our_business():
    """It is recorded, but nobody sampled it; whoever exports sees that for himself."""
    inner = Noting()
    pipeline = Sampled(SampleRates({"*": 0.0}), sampler=Recording(), inner=inner)
    with pipeline.request():
        pipeline.work()
        assert not pipeline.sampling._traces.open
    assert inner.calls == ["start", "start", "work", "request"]
    assert notices.notices() == ()


@pytest.mark.parametrize(
    ("sampler", "remote", "weight"),
    [
        (ALWAYS_ON, False, "ot=th:0"),
        (ParentBased(ALWAYS_ON), True, "ot=th:0"),
        (ParentBased(TraceIdRatioBased(1.0)), True, "ot=th:0"),
        (ParentBased(TraceIdRatioBased(0.9999)), False, ""),
        (TraceIdRatioBased(0.9999), True, ""),
    ],
)
def test_a_share_that_the_sampler_keeps_to_itself_leaves_no_weight(sampler, remote, weight):
    """No weight is better than a wrong one, and it is said."""
    pipeline = Sampled(sampler=sampler)
    # Its random bits are high and its last eight bytes are low, so that both keep it.
    with pipeline.request(arriving() if remote else None):
        tracium.set_tenant("acme")
    assert states(pipeline.spans) == {weight}
    assert [notice.key for notice in notices.notices()] == ([] if weight else ["sampling:weight"])
