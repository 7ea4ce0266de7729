"""Traces that are exported because they have an error."""

from __future__ import annotations

import pytest
from opentelemetry.trace import (
    StatusCode,
    set_span_in_context,
)
from support.sampled import LOW, Sampled, arriving, states

import tracium
from tracium.signals.sampling import SampleRates


def test_an_error_brings_the_whole_trace_back_if_asked_for():
    """Also what ran before the error, and after it; it says why, and has no weight of which nobody knows the share."""
    pipeline = Sampled(keep_errors=True)
    with pipeline.request(arriving(LOW, [("ot", "th:0;x:1")])):
        pipeline.work("before the tenant")
        tracium.set_tenant("free-1")
        pipeline.call()
        assert pipeline.names == []
        pipeline.work("error", error=True)
        assert pipeline.sampling.held == 0
        pipeline.work("after")
    assert pipeline.names == ["before the tenant", "chat gpt", "error", "after", "request"]
    assert {span.attributes["tracium.sampled.reason"] for span in pipeline.spans} == {"error"}
    assert states(pipeline.spans) == {"ot=x:1"}
    call = pipeline.spans[1]
    assert call.attributes["gen_ai.input.messages"] == "secret"
    assert "tracium.sampled_out" not in call.attributes


def test_an_error_before_the_tenant_is_known_counts_too():
    """A request that fails in its middleware."""
    pipeline = Sampled(SampleRates({"*": 0.5}), keep_errors=True)
    with pipeline.request(low=True):
        pipeline.work("error", error=True)
    assert pipeline.names == ["error", "request"]
    assert all(span.attributes["tracium.sampled.reason"] == "error" for span in pipeline.spans)


def test_an_error_in_a_trace_that_is_kept_anyway_changes_nothing():
    """It has its weight, and no reason."""
    pipeline = Sampled(keep_errors=True)
    with pipeline.request():
        pipeline.work("before", error=True)
        tracium.set_tenant("free-1")
        pipeline.work(error=True)
    assert states(pipeline.spans) == {"ot=th:8"}
    assert not any("tracium.sampled.reason" in span.attributes for span in pipeline.spans)


@pytest.mark.parametrize("keep_errors", [False, True])
def test_without_an_error_nothing_comes_back(keep_errors):
    """But the usage, once, at the trace's end at the latest."""
    pipeline = Sampled(keep_errors=keep_errors)
    with pipeline.request(low=True):
        tracium.set_tenant("free-1")
        pipeline.call()
        pipeline.work(error=not keep_errors)
        assert pipeline.sampling.held == (2 if keep_errors else 0)
    assert pipeline.names == ["chat gpt"]
    assert pipeline.spans[0].attributes["tracium.sampled_out"] is True
    assert pipeline.sampling.held == 0


def test_an_error_that_comes_after_the_end_brings_back_itself():
    """And what began after the end, and what follows; the rest of its trace is gone."""
    pipeline = Sampled(keep_errors=True)
    for number in range(2):
        with pipeline.request(arriving(LOW + number)) as request:
            tracium.set_tenant("free-1")
            going_on = pipeline.tracer.start_span("going on")
        context = set_span_in_context(request)
        if number:
            going_on.set_status(StatusCode.ERROR)
        else:
            with pipeline.tracer.start_as_current_span("late", context):
                pipeline.work("below")
                pipeline.work("error", error=True)
        going_on.end()
        pipeline.tracer.start_span("later", context).end()
    assert pipeline.names == ["below", "error", "late", "going on", "later", "going on", "later"]
    assert {span.attributes["tracium.sampled.reason"] for span in pipeline.spans} == {"error"}


def test_what_was_dropped_from_a_span_stays_counted():
    """Also where an error gives it an attribute more."""
    pipeline = Sampled(SampleRates({"*": 0.0}), keep_errors=True)
    with pipeline.tracer.start_as_current_span("work") as span:
        span.set_attributes({f"key.{number}": number for number in range(200)})
        span.set_status(StatusCode.ERROR)
    (exported,) = pipeline.spans
    assert (exported.dropped_attributes, len(exported.attributes)) == (72, 129)
