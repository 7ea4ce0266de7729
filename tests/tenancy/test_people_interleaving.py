"""Tasks, requests, blocks and spans in any order: no span has a user or session that the rules do not give it."""

from __future__ import annotations

import contextvars
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.context import attach, detach, get_current
from opentelemetry.trace import SpanKind
from support.people import Kind, propagator

import tracium
from tracium.signals import TenantSpanProcessor, tenant_span_processor
from tracium.testing import MemoryPipeline, tenant_of

DEFAULT = "anonymous"
SEVERAL = object()
NOBODYS = "nobody's"


# The rules, written down a second time: plain values, no OpenTelemetry.


@dataclass(eq=False)
class Request:
    tenant: str | None = None
    mixed: bool = False
    over: bool = False
    entry: Span | None = None
    user: object = None


@dataclass(eq=False)
class Span:
    name: str
    request: Request | None
    parent: Span | None
    tenant: str | None
    by_default: bool
    user: str | None
    open: bool = True
    # A tenant that is set again may mark what a block without tenant left unmarked, and then its user.
    may_be: set[str] = field(default_factory=set)
    user_may_be: set[str | None] = field(default_factory=set)

    def mark(self, tenant):
        if self.open and (self.tenant is None or self.by_default):
            self.tenant, self.by_default = tenant, False

    def mark_user(self, user, tenant):
        if self.open and self.user is None:
            if (None if self.by_default else self.tenant) == tenant and not self.may_be:
                self.user = user
            elif self.may_be:
                self.user_may_be.add(user)


@dataclass(frozen=True)
class Where:
    """What the context of a task says."""

    state: str = "not set"
    tenant: str | None = None
    user_state: str = "not set"
    user: str | None = None
    home: str | None = None
    said_in: Request | None = None
    tenant_after: Request | None = None
    user_after: Request | None = None
    request: Request | None = None
    span: Span | None = None

    def still(self, state, value, after):
        elsewhere = self.said_in is not self.request
        left_behind = self.said_in is not None and self.said_in.over and after is not self.said_in
        return ("not set", None) if elsewhere and (left_behind or state == "cleared") else (state, value)

    def said(self):
        return self.still(self.state, self.tenant, self.tenant_after)

    def said_user(self):
        return self.still(self.user_state, self.user, self.user_after)

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

    def holds(self, tenant, *, aloud):
        """The user of `tenant`; aloud a clear counts."""
        state, user = self.said_user()
        request = self.request
        if state == "set":
            home = request.tenant if self.home is None and request is not None else self.home
            return user if home in (None, NOBODYS if tenant is None else tenant) else None
        if state == "nobody" or (aloud and state == "cleared"):
            return None
        if request is None or request.mixed or request.tenant != tenant or request.user is SEVERAL:
            return None
        return request.user

    def current_user(self):
        return self.holds(self.current(), aloud=True)

    def recorded_user(self, default):
        tenant, by_default = self.recorded(default)
        return self.holds(None if by_default else tenant, aloud=False)

    def own_home(self):
        if self.current() is not None:
            return self.current()
        hidden = self.request is not None and self.request.tenant is not None
        return NOBODYS if hidden or self.said()[0] == "nobody" else None

    def settled(self, after):
        """The same, said anew here; `after` is the tenant that holds from now on."""
        before, home = self.current(), self.home
        (state, tenant), (user_state, user) = self.said(), self.said_user()
        if home is None:
            home = before or (None if self.request is None else self.request.tenant)
        if home in (None, NOBODYS) and before is None:
            home = after or home
        return replace(
            self, state=state, tenant=tenant, user_state=user_state, user=user, home=home, said_in=self.request
        )

    def say(self, state, tenant):
        return replace(self.settled(tenant), state=state, tenant=tenant)

    def say_user(self, state, user):
        return replace(self.settled(self.current()), user_state=state, user=user, home=self.own_home())

    def set(self, tenant):
        after = self.say("set", tenant)
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
                elif span.open and (span.tenant is None or span.by_default):
                    span.may_be.add(tenant)
                span = span.parent
            if request.entry is not None:
                request.entry.mark(tenant)
        return after

    def set_user(self, user):
        home, request, span = self.own_home(), self.request, self.span
        tenant = None if home == NOBODYS else home
        if request is None or home not in (None, request.tenant):
            if span is not None:
                span.mark_user(user, tenant)
        elif request.user in (None, user):
            request.user = user
            while span is not None and span is not request.entry and (not span.open or span.request is request):
                span.mark_user(user, tenant)
                span = span.parent
            if request.entry is not None:
                request.entry.mark_user(user, tenant)
        else:
            request.user = SEVERAL
        return self.say_user("set", user)


# The same steps for both.


class Task:
    """One line of work: its real context, what the rules say about it, and what it has open."""

    def __init__(self, context, where):
        self.context, self.where, self.open = context, where, []

    def run(self, function, *args):
        return self.context.run(function, *args)

    def enter(self, block, inside, span=None, around=None):
        stack = ExitStack()
        self.run(stack.enter_context, block)
        self.open.append((stack.close, self.where if around is None else around, span))
        self.where = inside


class World:
    def __init__(self, who, processor, default):
        self.who, self.default = who, default
        self.pipeline = MemoryPipeline(processor=processor)
        self.tasks = [Task(contextvars.Context(), Where())]
        self.spans = {}

    def do(self, task, action, number):
        getattr(self, action)(task, number)
        for other in self.tasks:
            assert other.run(tracium.get_current_tenant) == other.where.current()
            assert other.run(self.who.current) == other.where.current_user()

    def spawn(self, task, _):
        if len(self.tasks) < 5:
            self.tasks.append(Task(task.run(contextvars.copy_context), task.where))

    def set(self, task, number):
        task.run(tracium.set_tenant, f"t{number}")
        task.where = task.where.set(f"t{number}")

    def clear(self, task, _):
        task.run(tracium.set_tenant, None)
        task.where = task.where.say("cleared", None)

    def block(self, task, number):
        where = replace(task.where.say("set", f"t{number}"), tenant_after=self._afterwards(task))
        task.enter(tracium.tenant(f"t{number}"), where)

    def nobody(self, task, _):
        where = replace(task.where.say("nobody", None), tenant_after=self._afterwards(task))
        task.enter(tracium.tenant(None), where)

    def set_user(self, task, number):
        task.run(self.who.set, f"u{number}")
        task.where = task.where.set_user(f"u{number}")

    def clear_user(self, task, _):
        task.run(self.who.set, None)
        task.where = task.where.say_user("cleared", None)

    def user_block(self, task, number):
        where = replace(task.where.say_user("set", f"u{number}"), user_after=self._afterwards(task))
        task.enter(self.who.scope(f"u{number}"), where)

    def no_user(self, task, _):
        where = replace(task.where.say_user("nobody", None), user_after=self._afterwards(task))
        task.enter(self.who.scope(None), where)

    def span(self, task, _):
        self._open_span(task, SpanKind.INTERNAL, task.where)

    def passed(self, task, _):
        """A span in the context of another task, not in the one that is current."""
        other = self.tasks[len(self.spans) % len(self.tasks)]
        name, where = f"{len(self.spans)}", other.where
        tenant, by_default = where.recorded(self.default)
        user = where.recorded_user(self.default)
        self.spans[name] = Span(name, where.request, where.span, tenant, by_default, user, open=False)
        context = other.run(get_current)
        task.run(lambda: self.pipeline.tracer.start_span(name, context=context).end())

    def arrival(self, task, _):
        """A server instrumentation: extract, then the span. Nothing of what was there is the request's."""
        around, request = task.where, Request()
        token = task.run(lambda: attach(propagator.extract({})))
        self._open_span(task, SpanKind.SERVER, Where(said_in=request, request=request, span=around.span), around, token)

    def plain_request(self, task, _):
        """A SERVER or CONSUMER span and nothing else: what holds is its own, unless a request left it behind."""
        where = task.where
        over = where.request is not None and where.request.over
        tenant = None if over and where.tenant_after is not where.request else where.current()
        user = None if over and where.user_after is not where.request else where.holds(tenant, aloud=True)
        self._open_span(task, SpanKind.CONSUMER, replace(where, request=Request(tenant, user=user)))

    def end(self, task, _):
        if task.open:
            close, where, span = task.open.pop()
            if span is not None:
                span.open = False
                if span.request is not None and span.request.entry is span:
                    span.request.over = True
            task.run(close)
            task.where = where

    def _afterwards(self, task):
        request = task.where.request
        return request if request is not None and request.over else None

    def _open_span(self, task, kind, where, around=None, token=None):
        name = f"{len(self.spans)}"
        tenant, by_default = where.recorded(self.default)
        user = where.recorded_user(self.default)
        span = self.spans[name] = Span(name, where.request, where.span, tenant, by_default, user)
        if kind is not SpanKind.INTERNAL:
            where.request.entry = span
        stack = ExitStack()
        if token is not None:
            stack.callback(detach, token)
        task.run(stack.enter_context, self.pipeline.tracer.start_as_current_span(name, kind=kind))
        task.enter(stack, replace(where, span=span), span, around)

    def close(self):
        for task in self.tasks:
            while task.open:
                self.end(task, None)

    def check(self):
        for real in self.pipeline.spans:
            span = self.spans[real.name]
            assert tenant_of(real) in {span.tenant, *span.may_be}
            assert (real.attributes.get(self.who.attribute) or None) in {span.user, *span.user_may_be}


ACTIONS = [
    *("spawn", "span", "span", "passed", "arrival", "plain_request", "end", "end"),
    *("set", "clear", "block", "nobody"),
    *("set_user", "set_user", "clear_user", "user_block", "no_user"),
]
STEPS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(ACTIONS), st.integers(0, 1)), min_size=1, max_size=40)


@pytest.mark.parametrize("make", [tenant_span_processor, TenantSpanProcessor], ids=["direct", "public"])
@pytest.mark.parametrize("default", [None, DEFAULT])
def test_no_order_of_steps_gives_a_span_a_wrong_user(who: Kind, make, default):
    """Against the rules written down a second time, after each step and for each span."""

    @settings(max_examples=300, deadline=None)
    @given(STEPS)
    def check(steps):
        world = World(who, make(default), default)
        try:
            for number, action, value in steps:
                world.do(world.tasks[number % len(world.tasks)], action, value)
        finally:
            world.close()
        world.check()

    check()
