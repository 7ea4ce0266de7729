"""Tasks, requests, blocks and spans in any order: no span ever has a tenant that the rules do not give it."""

from __future__ import annotations

import contextvars
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.context import attach, detach, get_current
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import tracium
from tracium.boundary.propagation import TenantPropagator
from tracium.frameworks.arrival import WebArrival
from tracium.queues import message
from tracium.signals import TenantSpanProcessor, tenant_span_processor
from tracium.testing import MemoryPipeline, assert_tenant

propagator = TenantPropagator(CompositePropagator([TraceContextTextMapPropagator()]))
DEFAULT = "anonymous"


# The rules, written down a second time: plain values, no OpenTelemetry.


@dataclass(eq=False)
class Request:
    tenant: str | None = None
    mixed: bool = False
    over: bool = False
    entry: Span | None = None
    # What was around it, where it was seen arriving.
    before: Where | None = None


@dataclass(eq=False)
class Span:
    name: str
    request: Request | None
    parent: Span | None
    tenant: str | None
    by_default: bool = False
    # A repeated set may mark what a block without tenant left unmarked, or not.
    may_be: set[str] = field(default_factory=set)
    open: bool = True

    def mark(self, tenant):
        if self.open and (self.tenant is None or self.by_default):
            self.tenant, self.by_default = tenant, False


@dataclass(frozen=True)
class Where:
    """What the context of a task says."""

    state: str = "not set"
    tenant: str | None = None
    said_in: Request | None = None
    block_after: Request | None = None
    request: Request | None = None
    span: Span | None = None

    def said(self):
        elsewhere = self.said_in is not self.request
        left_behind = self.said_in is not None and self.said_in.over and self.block_after is not self.said_in
        if elsewhere and (left_behind or self.state == "cleared"):
            return "not set", None
        return self.state, self.tenant

    def current(self):
        state, tenant = self.said()
        if state == "not set" and self.request is not None and not self.request.mixed:
            return self.request.tenant
        return tenant if state == "set" else None

    def recorded(self, default):
        state, tenant = self.said()
        request = self.request
        if state == "set":
            return tenant, False
        if state == "nobody" or (request is not None and request.mixed):
            return None, False
        if request is not None and request.tenant is not None:
            return request.tenant, False
        return default, default is not None

    def say(self, state, tenant):
        return replace(self, state=state, tenant=tenant, said_in=self.request)

    def set(self, tenant):
        request, span = self.request, self.span
        if request is None:
            if span is not None:
                span.mark(tenant)
        elif request.tenant not in (None, tenant):
            request.mixed = True
        else:
            first, request.tenant = request.tenant is None, tenant
            while span is not None and (not span.open or span.request is request):
                if first or span is request.entry:
                    span.mark(tenant)
                elif span.tenant is None or span.by_default:
                    span.may_be.add(tenant)
                span = span.parent
            if request.entry is not None:
                request.entry.mark(tenant)
        return self.say("set", tenant)


# The same steps for both.


class Task:
    """One line of work: its real context, what the rules say about it, and what it has open."""

    def __init__(self, context, where):
        self.context, self.where, self.open = context, where, []

    def run(self, function, *args):
        return self.context.run(function, *args)


class World:
    def __init__(self, processor, default):
        self.pipeline = MemoryPipeline(processor=processor)
        self.default = default
        self.tasks = [Task(contextvars.Context(), Where())]
        self.spans = {}

    def do(self, task, action, tenant):
        getattr(self, action)(task, tenant)
        for other in self.tasks:
            assert other.run(tracium.get_current_tenant) == other.where.current()

    def spawn(self, task, _):
        if len(self.tasks) < 6:
            self.tasks.append(Task(task.run(contextvars.copy_context), task.where))

    def set(self, task, tenant):
        task.run(tracium.set_tenant, tenant)
        task.where = task.where.set(tenant)

    def clear(self, task, _):
        task.run(tracium.set_tenant, None)
        task.where = task.where.say("cleared", None)

    def block(self, task, tenant):
        stack = ExitStack()
        task.run(stack.enter_context, tracium.tenant(tenant))
        task.open.append((stack.close, task.where, None))
        after = task.where.request if task.where.request is not None and task.where.request.over else None
        task.where = replace(task.where.say("set", tenant), block_after=after)

    def nobody(self, task, _):
        stack = ExitStack()
        task.run(stack.enter_context, tracium.tenant(None))
        task.open.append((stack.close, task.where, None))
        after = task.where.request if task.where.request is not None and task.where.request.over else None
        task.where = replace(task.where.say("nobody", None), block_after=after)

    def span(self, task, _):
        self._open_span(task, SpanKind.INTERNAL, task.where.request)

    def passed(self, task, _):
        """A span in the context of another task, not in the one that is current."""
        other = self.tasks[len(self.spans) % len(self.tasks)]
        name, where = f"{len(self.spans)}", other.where
        tenant, by_default = where.recorded(self.default)
        self.spans[name] = Span(name, where.request, where.span, tenant, by_default, open=False)
        context = other.run(get_current)
        task.run(lambda: self.pipeline.tracer.start_span(name, context=context).end())

    def arrival(self, task, _):
        """A server instrumentation: extract, then the span."""
        before = task.where
        token = task.run(lambda: attach(propagator.extract({})))
        request = Request()
        task.where = Where("not set", None, request, None, request, before.span)
        self._open_span(task, SpanKind.SERVER, request, lambda: detach(token), before)

    def handed_over(self, task, tenant):
        """A server hands over a request; its tenant may be set before its span begins."""
        before = task.where
        outside = before
        while outside.request is not None and outside.request.over and outside.request.before is not None:
            outside = outside.request.before
        carrier = {}
        arrival = task.run(WebArrival, carrier)
        token = task.run(attach, arrival.context)
        request = Request(before=outside)
        task.where = Where("not set", None, request, None, request, outside.span)
        if tenant == "c":
            task.run(tracium.set_tenant, tenant)
            task.where = task.where.set(tenant)
        task.run(lambda: attach(propagator.extract(carrier)))

        def over():
            arrival.close()
            detach(token)

        self._open_span(task, SpanKind.SERVER, request, over, before)

    def message(self, task, tenant):
        """A message of a queue's, with a tenant and a trace, a tenant, or nothing."""
        before = task.where
        brought = None if tenant == "c" else tenant
        headers = {} if brought is None else {"baggage": f"tenant.id={brought}"}
        if tenant == "b":
            headers["traceparent"] = f"00-{len(self.spans) + 1:032x}-{1:016x}-01"
        request = Request(brought)
        above = None if tenant == "b" else before.span
        task.where = Where("not set" if brought is None else "set", brought, request, None, request, above)
        block = message(headers, destination=f"{len(self.spans)}")
        self._open_span(task, SpanKind.CONSUMER, request, before=before, block=block)

    def plain_request(self, task, _):
        """A SERVER or CONSUMER span and nothing else."""
        where, outer = task.where, task.where.request
        left_behind = outer is not None and outer.over and where.block_after is not outer
        request = Request(None if left_behind else where.current())
        self._open_span(task, SpanKind.CONSUMER, request)

    def end(self, task, _):
        if task.open:
            close, where, span = task.open.pop()
            if span is not None:
                span.open = False
                if span.request is not None and span.request.entry is span:
                    span.request.over = True
            task.run(close)
            task.where = where

    def _open_span(self, task, kind, request, after=None, before=None, block=None):
        where = replace(task.where, request=request)
        name = f"{len(self.spans)}" if block is None else f"process {len(self.spans)}"
        tenant, by_default = where.recorded(self.default)
        span = Span(name, request, where.span, tenant, by_default)
        if kind is not SpanKind.INTERNAL:
            request.entry = span
        self.spans[name] = span
        stack = ExitStack()
        if after is not None:
            stack.callback(after)
        opening = self.pipeline.tracer.start_as_current_span(name, kind=kind) if block is None else block
        task.run(stack.enter_context, opening)
        task.open.append((stack.close, task.where if before is None else before, span))
        task.where = replace(where, span=span)

    def close(self):
        for task in self.tasks:
            while task.open:
                self.end(task, None)

    def check(self):
        for real in self.pipeline.spans:
            span = self.spans[real.name]
            if real.attributes.get("tenant.id") not in span.may_be:
                assert_tenant(real, span.tenant)
            mixed = (
                span.request is not None and span.request.entry is span and real.attributes.get("tracium.tenant.mixed")
            )
            assert not mixed or span.request.mixed


ACTIONS = [
    "spawn",
    "set",
    "set",
    "clear",
    "block",
    "nobody",
    "span",
    "span",
    "passed",
    "arrival",
    "handed_over",
    "handed_over",
    "message",
    "message",
    "plain_request",
    "end",
    "end",
]
STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(ACTIONS), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=40
)


@pytest.mark.parametrize("make", [tenant_span_processor, TenantSpanProcessor], ids=["direct", "public"])
@pytest.mark.parametrize("default", [None, DEFAULT])
def test_no_order_of_steps_gives_a_span_a_wrong_tenant(make, default, monkeypatch):
    """Against the rules written down a second time, after each step and for each span."""

    @settings(max_examples=250, deadline=None)
    @given(STEPS)
    def check(steps):
        world = World(make(default), default)
        # Messages' spans too; by its name, because the package's own `message` is the function.
        monkeypatch.setattr(sys.modules["tracium.queues.message"], "_tracer", world.pipeline.tracer)
        try:
            for number, action, tenant in steps:
                world.do(world.tasks[number % len(world.tasks)], action, tenant)
        finally:
            world.close()
        world.check()

    check()
