"""Spans that wait: not too many, not too long, and none is lost, whatever the process does."""

from __future__ import annotations

import gc
import os
import threading

import pytest
from opentelemetry.context import Context
from opentelemetry.trace import (
    set_span_in_context,
)
from support.sampled import HIGH, LOW, Noting, Sampled, arriving, states

import tracium
from tracium import faults, notices
from tracium.signals.sampling import Bounds, SampleRates


@pytest.mark.parametrize(
    ("bounds", "bound"),
    [
        ({"spans_per_trace": 2}, "spans_per_trace"),
        ({"spans": 2}, "spans"),
        ({"seconds": 0.0}, "seconds"),
    ],
)
@pytest.mark.parametrize("tenant", ["none-1", None])
def test_a_bound_decides_before_the_time(bounds, bound, tenant):
    """An open trace with too much that waits is decided by what is known, once and for all, and that is said once."""
    pipeline = Sampled(SampleRates({"none-*": 0.0, "*": 1.0}), bounds=Bounds(**bounds), keep_errors=True)
    with pipeline.request():
        if tenant is not None:
            tracium.set_tenant(tenant)
        for number in range(4):
            pipeline.call(str(number))
            assert pipeline.sampling.held <= 2
        tracium.set_tenant("none-1")
        pipeline.call("last")
    calls = [span for span in pipeline.spans if span.name != "request"]
    assert [span.name for span in calls] == ["0", "1", "2", "3", "last"]
    assert ["tracium.sampled_out" in span.attributes for span in calls] == [tenant is not None] * 5
    assert [(notice.key, notice.count) for notice in notices.notices()] == [(f"sampling:{bound}", 1)]


def test_what_waits_too_long_is_decided_when_another_trace_begins():
    """There is no thread that looks."""
    pipeline = Sampled(bounds=Bounds(seconds=0.0))
    with pipeline.request():
        pipeline.work()
        assert pipeline.names == []
        other = pipeline.tracer.start_span("other", Context())
        assert pipeline.names == ["work"]
        other.end()
    with pipeline.request():
        pipeline.work("flushed")
        pipeline.sampling.force_flush()
        assert pipeline.names[-1] == "flushed"


def test_too_many_open_traces_decide_the_oldest():
    """Which follows that decision from there, as long as it is remembered; what is forgotten has no weight."""
    pipeline = Sampled(bounds=Bounds(traces=2))
    spans = [pipeline.tracer.start_span(f"root {number}") for number in range(4)]
    assert len(pipeline.sampling._traces.open) == 2
    pipeline.tracer.start_span("below", set_span_in_context(spans[0])).end()
    assert pipeline.names == ["below"]
    for span in spans:
        span.end()
    assert sorted(pipeline.names) == ["below", *(f"root {number}" for number in range(4))]
    assert states(pipeline.spans) == {"ot=th:0", ""}
    assert len(pipeline.sampling._traces.past) == 2
    assert [(notice.key, notice.count) for notice in notices.notices()] == [("sampling:traces", 3)]


@pytest.mark.parametrize("bound", ["spans", "spans_per_trace", "traces", "seconds"])
def test_a_bound_that_holds_nothing_is_refused(bound):
    """In a full sentence."""
    with pytest.raises(ValueError, match=f"The bound {bound} is -1, but it must be"):
        Bounds(**{bound: -1})


def test_a_flush_lets_open_requests_wait_and_the_end_does_not():
    """The rest is the exporter's."""
    inner = Noting()
    pipeline = Sampled(inner=inner)
    with pipeline.request():
        pipeline.work()
        assert pipeline.sampling.force_flush(7) is False
        assert inner.calls == ["start", "start", 7]
        pipeline.sampling.shutdown()
        assert inner.calls[3:] == ["work", "shutdown"]


class Draining(Noting):
    def drain(self):
        self.calls.append("drain")


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("inner", [Draining, Noting])
def test_draining_sends_what_waits_whoever_has_the_lock(inner, locked, monkeypatch):
    """On SIGTERM the main thread stands still wherever it is."""
    monkeypatch.setattr("tracium.signals.sampling.processor._PATIENCE", 0.01)
    inner = inner()
    pipeline = Sampled(inner=inner)
    with pipeline.request():
        pipeline.work()
        if locked:
            assert pipeline.sampling._lock.acquire()
        draining = threading.Thread(target=pipeline.sampling.drain)
        draining.start()
        draining.join()
        assert inner.calls[2:] == ["work", "drain" if isinstance(inner, Draining) else "shutdown"]
        if locked:
            pipeline.sampling._lock.release()


def test_a_span_may_end_while_this_thread_decides():
    """An object that dies may end a span wherever memory is asked for; it is dealt with right after."""
    pipeline = Sampled()
    with pipeline.request():
        with pipeline.sampling._lock:
            pipeline.work("within")
            with tracium.tenant("acme"):
                pipeline.work("with tenant")
            assert pipeline.names == []
        pipeline.work("after")
        assert pipeline.names == ["within", "with tenant", "after"]


def test_a_span_may_end_while_this_thread_flushes(monkeypatch):
    """As above."""
    pipeline = Sampled()
    within = [pipeline.tracer.start_span("within")]
    monkeypatch.setattr(pipeline.sampling._traces, "expire", lambda _: within and within.pop().end())
    pipeline.sampling.force_flush()
    assert pipeline.names == ["within"]


def test_what_changes_later_holds_from_then_on():
    """For an `init` that is called again."""
    pipeline = Sampled()
    with tracium.tenant("free-1"):
        pipeline.work("kept")
        pipeline.sampling.update(SampleRates({"*": 0.0}), keep_errors=True, default=None)
        pipeline.work("dropped")
        pipeline.work("error", error=True)
    assert pipeline.names == ["kept", "error"]


def test_a_fault_of_ours_loses_no_span(monkeypatch, caplog):
    """It goes out as it is, and that is said once."""
    monkeypatch.setattr(faults, "_raising", False)
    pipeline = Sampled()
    for broken in ("tracium.signals.sampling.processor.told_in", "tracium.signals.sampling.traces.told_in"):
        with monkeypatch.context() as patched:
            patched.setattr(broken, None)
            pipeline.work(broken)
    with monkeypatch.context() as patched:
        patched.setattr("tracium.signals.sampling.verdict.with_threshold", None)
        with pipeline.request():
            tracium.set_tenant("free-1")
    assert pipeline.names == [
        "tracium.signals.sampling.processor.told_in",
        "tracium.signals.sampling.traces.told_in",
        "request",
    ]
    assert {record.levelname for record in caplog.records} == {"ERROR"}


def test_spans_are_not_kept_alive_by_sampling():
    """A stream's span that nobody ends is found by its object being gone."""
    import weakref

    pipeline = Sampled()
    with pipeline.request():
        span = pipeline.tracer.start_span("stream")
        gone = weakref.ref(span)
        del span
        gc.collect()
        assert gone() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is nothing to fork here")
def test_a_forked_child_begins_with_nothing():
    """What waits in its parent is the parent's; what begins in the child is decided there, also with the lock taken."""
    pipeline = Sampled()
    with pipeline.request():
        pipeline.work("of the parent")
        pipeline.sampling._lock.acquire()
        child = os.fork()
        if child == 0:
            try:
                tracium.set_tenant("acme")
                pipeline.work("of the child")
                os._exit(0 if pipeline.names == ["of the child"] and pipeline.sampling.held == 0 else 1)
            finally:
                os._exit(2)
        pipeline.sampling._lock.release()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pipeline.names == ["of the parent", "request"]


def test_threads_that_end_spans_at_once_lose_none():
    """Every span of every kept trace, once, and every call of every other."""
    pipeline = Sampled(SampleRates({"free-*": 0.5, "*": 1.0}), keep_errors=True)
    ready = threading.Barrier(4)

    def serve(number):
        ready.wait()
        for turn in range(40):
            with pipeline.request(arriving((HIGH if turn % 2 else LOW) + turn * 4 + number)):
                pipeline.work("before")
                tracium.set_tenant(f"free-{number}")
                pipeline.call("call")

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pipeline.names) == ["before"] * 80 + ["call"] * 160 + ["request"] * 80
    assert pipeline.sampling.held == 0
    assert not pipeline.sampling._traces.open
