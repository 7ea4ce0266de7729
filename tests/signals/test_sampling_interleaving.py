"""Requests, spans, tenants and errors in any order: a trace is exported whole or not at all, and no usage is lost."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

import tracium
from tracium.boundary.propagation import TenantPropagator
from tracium.signals import tenant_span_processor
from tracium.signals.sampling import Bounds, SampleRates, TenantSampling
from tracium.signals.sampling.threshold import encoded, threshold_of

propagator = TenantPropagator(CompositePropagator([]))

SHARES = {"a": 0.0, "b": 0.25, "c": 0.5, "d": 1.0, "*": 0.75}
# The random bits of each trace, as a part of all.
TRACES = (0.1, 0.3, 0.6, 0.8, 0.99)
CALL = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 1}

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("request"), st.integers(0, len(TRACES) - 1)),
        st.tuples(st.just("span"), st.integers(0, 20), st.booleans()),
        st.tuples(st.just("tenant"), st.integers(0, 20), st.sampled_from("abcd")),
        st.tuples(st.just("end"), st.integers(0, 20), st.sampled_from([False, False, False, True])),
        st.tuples(st.just("flush")),
    ),
    max_size=60,
)


def trace_id_of(number):
    return (number + 1 << 64) + int(TRACES[number] * 2**56)


@dataclass
class Open:
    """A span that is open, where the next begins under it, and what the test says of its trace."""

    span: object
    context: Context
    number: int
    is_root: bool
    call: bool


@dataclass
class Episode:
    """A trace as long as a request of it is open, or what began when none was."""

    number: int
    roots: int = 0
    ended: list = field(default_factory=list)
    tenants: set = field(default_factory=set)
    failed: bool = False
    begun_before: bool = False


class World:
    """Runs actions, and knows in plain values what must come of them."""

    def __init__(self, *, keep_errors, bounds):
        self.memory = InMemorySpanExporter()
        self.bounds = bounds
        self.sampling = TenantSampling(
            SimpleSpanProcessor(self.memory), SampleRates(SHARES), keep_errors=keep_errors, bounds=bounds
        )
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(tenant_span_processor())
        provider.add_span_processor(self.sampling)
        self.tracer = provider.get_tracer("tests")
        self.open = []
        self.episodes = []
        self.running = {}
        self.late = defaultdict(list)
        self.count = 0

    def run(self, actions):
        for name, *rest in actions:
            getattr(self, name)(*rest)
            self.check_bounds()
        while self.open:
            self.end(len(self.open) - 1, failed=False)
            self.check_bounds()
        assert self.sampling.held == 0
        self.sampling.shutdown()

    def request(self, number):
        parent = SpanContext(trace_id_of(number), 9, is_remote=True, trace_flags=TraceFlags(1))
        context = propagator.extract({}, set_span_in_context(NonRecordingSpan(parent), Context()))
        self.begin(context, number, SpanKind.SERVER, call=False)

    def span(self, which, call):
        if self.open:
            above = self.open[which % len(self.open)]
            self.begin(above.context, above.number, SpanKind.INTERNAL, call=call)

    def begin(self, context, number, kind, *, call):
        self.count += 1
        is_root = kind is SpanKind.SERVER or number not in self.running
        if number not in self.running:
            episode = Episode(number, begun_before=any(one.number == number for one in self.episodes))
            self.running[number] = episode
            self.episodes.append(episode)
        self.running[number].roots += is_root
        span = self.tracer.start_span(str(self.count), context, kind, CALL if call else None)
        self.open.append(Open(span, set_span_in_context(span, context), number, is_root, call))

    def tenant(self, which, tenant):
        if not self.open:
            return
        opened = self.open[which % len(self.open)]
        token = attach(opened.context)
        tracium.set_tenant(tenant)
        opened.context = get_current()
        detach(token)
        if opened.number in self.running:
            self.running[opened.number].tenants.add(tenant)

    def end(self, which, failed):
        if not self.open:
            return
        opened = self.open.pop(which % len(self.open))
        if failed:
            opened.span.set_status(StatusCode.ERROR)
        opened.span.end()
        episode = self.running.get(opened.number)
        if episode is None:
            self.late[opened.number].append((opened, failed))
            return
        episode.ended.append(opened)
        episode.failed |= failed
        episode.roots -= opened.is_root
        if not episode.roots:
            del self.running[opened.number]

    def flush(self):
        assert self.sampling.force_flush()

    def check_bounds(self):
        traces = self.sampling._traces
        assert self.sampling.held == sum(len(trace.held) for trace in traces.open.values()) <= self.bounds.spans
        assert all(len(trace.held) <= self.bounds.spans_per_trace for trace in traces.open.values())
        assert len(traces.open) <= self.bounds.traces
        assert len(traces.past) <= self.bounds.traces

    @property
    def exported(self):
        return {span.name: span for span in self.memory.get_finished_spans()}

    def is_whole(self, opened):
        span = self.exported.get(opened.span.name)
        return span is not None and "tracium.sampled_out" not in span.attributes

    def check_usage(self):
        """Each span at most once, and each model call exactly once."""
        sent = Counter(span.name for span in self.memory.get_finished_spans())
        assert set(sent.values()) <= {1}
        ended = [one for episode in self.episodes for one in episode.ended]
        ended += [one for spans in self.late.values() for one, _ in spans]
        assert {one.span.name for one in ended if one.call} <= set(sent)
        whole = {one.span.name for one in ended if self.is_whole(one)}
        assert all(one.call for one in ended if one.span.name in sent and one.span.name not in whole)


def by_share(number, tenants):
    """Whether the trace may be kept, and whether it may be dropped, by the first of `tenants` that gets known."""
    shares = [SHARES[tenant] for tenant in tenants] or [SHARES["*"]]
    return {trace_id_of(number) % 2**56 >= threshold_of(share) for share in shares}


AMPLE = Bounds()


@settings(max_examples=150)
@given(ACTIONS)
def test_a_trace_is_exported_whole_or_not_at_all(actions):
    """By a tenant that it has; all its requests here alike, with what outlives them. Weights are its tenant's."""
    world = World(keep_errors=False, bounds=AMPLE)
    world.run(actions)
    world.check_usage()
    for number in {episode.number for episode in world.episodes}:
        episodes = [episode for episode in world.episodes if episode.number == number]
        spans = [one for episode in episodes for one in episode.ended] + [one for one, _ in world.late[number]]
        (kept,) = {world.is_whole(one) for one in spans}
        tenants = episodes[0].tenants
        # A request may end before a tenant that is set in it has been seen: on the last span to end.
        assert kept in by_share(number, tenants)
        if kept:
            allowed = {SHARES[tenant] for tenant in tenants} or {SHARES["*"]}
            weights = {world.exported[one.span.name].context.trace_state["ot"] for one in spans}
            assert len(weights) == 1
            assert weights <= {f"th:{encoded(threshold_of(share))}" for share in allowed}


@settings(max_examples=150)
@given(ACTIONS)
def test_errors_bring_back_the_whole_of_their_trace(actions):
    """As long as one of its requests is open; what ends after that comes back if it has an error itself."""
    world = World(keep_errors=True, bounds=AMPLE)
    world.run(actions)
    world.check_usage()
    for episode in world.episodes:
        (kept,) = {world.is_whole(one) for one in episode.ended}
        if episode.failed:
            assert kept
        elif not episode.begun_before:
            assert kept in by_share(episode.number, episode.tenants)
        reasons = {
            world.exported[one.span.name].attributes.get("tracium.sampled.reason") for one in episode.ended if kept
        }
        assert len(reasons) <= 1
    for spans in world.late.values():
        assert all(world.is_whole(one) for one, failed in spans if failed)


@pytest.mark.parametrize("keep_errors", [False, True])
@settings(max_examples=100)
@given(
    actions=ACTIONS,
    bounds=st.builds(
        Bounds,
        spans=st.integers(1, 5),
        spans_per_trace=st.integers(1, 3),
        traces=st.integers(1, 3),
        seconds=st.sampled_from([0.0, 300.0]),
    ),
)
def test_bounds_hold_and_lose_no_usage(keep_errors, actions, bounds):
    """However small they are."""
    world = World(keep_errors=keep_errors, bounds=bounds)
    world.run(actions)
    world.check_usage()
