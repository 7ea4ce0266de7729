"""`tracium.user` and `tracium.session`: the scoping rules of the tenant."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import baggage
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import INVALID_SPAN, SpanKind, set_span_in_context, use_span
from support.foreign import ForeignSpan
from support.people import child, propagator, request_of

import tracium
from tracium import notices

# Ids


@pytest.mark.parametrize("bad", [3, b"u-1", ["u-1"], True])
def test_what_is_no_string_is_a_type_error(who, bad):
    """At the call that passes it, with what is allowed; nothing is set."""
    for call in (who.set, who.scope):
        with pytest.raises(TypeError, match=f"A {who.name} id must be a string, not .* 1 to 255 characters") as refused:
            call(bad)
        assert isinstance(refused.value, tracium.TraciumError)
    assert who.current() is None


@pytest.mark.parametrize("bad", ["", "x" * 256, "a\nb", "\x7f", "\ud800"])
def test_a_string_that_cannot_be_an_id_is_a_value_error(who, bad):
    """Empty, too long, control characters and lone surrogates."""
    for call in (who.set, who.scope):
        with pytest.raises(ValueError, match=f"{who.name} id .*1 to 255 characters") as refused:
            call(bad)
        assert isinstance(refused.value, tracium.TraciumError)
    assert who.current() is None


# Scopes


async def test_blocks_nest_and_restore(who):
    """With and async with; what held before holds again."""
    who.set("outer")
    with who.scope("a"):
        async with who.scope("b"):
            assert who.current() == "b"
        assert who.current() == "a"
        with contextlib.suppress(KeyError), who.scope(None):
            assert who.current() is None
            raise KeyError
    assert who.current() == "outer"


async def test_decorated_functions_of_every_kind(who):
    """A generator has it while it runs, and its caller never has it."""

    @who.scope("a")
    def function():
        return who.current()

    @who.scope("a")
    async def coroutine():
        await asyncio.sleep(0)
        return who.current()

    @who.scope("a")
    def generator():
        yield who.current()
        yield who.current()

    @who.scope("a")
    async def async_generator():
        yield who.current()
        await asyncio.sleep(0)
        yield who.current()

    assert (function(), await coroutine(), list(generator())) == ("a", "a", ["a", "a"])
    assert [value async for value in async_generator()] == ["a", "a"]
    assert inspect.isgeneratorfunction(generator)
    stepping = generator()
    next(stepping)
    assert who.current() is None


def test_a_late_end_of_a_plain_block_in_a_generator_leaves_nothing_behind(who, pipeline):
    """The caller has a span open when the generator ends, and keeps its tenant."""

    def chunks():
        with who.scope("generator"):
            yield

    with tracium.tenant("acme"), who.scope("caller"):
        generator = chunks()
        next(generator)
        with pipeline.tracer.start_as_current_span("rest"):
            generator.close()
            assert (who.current(), tracium.get_current_tenant()) == ("caller", "acme")
            child(pipeline, "inside")
    assert who.of(pipeline) == {"inside": "caller", "rest": "generator"}
    assert pipeline.tenants() == {"inside": "acme", "rest": "acme"}


def test_the_three_are_apart(pipeline):
    """Each of them is set, cleared and restored without the others; the tenant alone is baggage."""
    with tracium.tenant("acme"), tracium.user("u-1"), tracium.session("s-1"):
        child(pipeline, "all")
        with tracium.user(None):
            child(pipeline, "no user")
        tracium.set_session("s-2")
        child(pipeline, "second session")
        tracium.set_session(None)
        child(pipeline, "no session")
        assert dict(baggage.get_all()) == {"tenant.id": "acme"}
    told = {
        span.name: tuple(span.attributes.get(key) for key in ("tenant.id", "user.id", "session.id"))
        for span in pipeline.spans
    }
    assert told == {
        "all": ("acme", "u-1", "s-1"),
        "no user": ("acme", None, "s-1"),
        "second session": ("acme", "u-1", "s-2"),
        "no session": ("acme", "u-1", None),
    }


def test_both_may_be_known_before_the_tenant(pipeline):
    """Each goes with the tenant that is set next, and not with the other."""
    tracium.set_user("u-1")
    tracium.set_session("s-1")
    tracium.set_user("u-2")
    tracium.set_tenant("acme")
    child(pipeline, "work")
    assert (tracium.get_current_user(), tracium.get_current_session()) == ("u-2", "s-1")
    assert dict(pipeline.span("work").attributes) == {"tenant.id": "acme", "user.id": "u-2", "session.id": "s-1"}


# Requests


@pytest.mark.parametrize("tenant", [None, "acme"])
@pytest.mark.parametrize("extracts", [True, False])
def test_the_first_one_is_the_requests(who, pipeline, tenant, extracts):
    """Its open spans are marked, neither siblings nor what is above, and what starts later anywhere in it."""
    with pipeline.tracer.start_as_current_span("above"), request_of(pipeline.tracer, extracts=extracts):
        if tenant is not None:
            tracium.set_tenant(tenant)
        before = get_current()
        sibling = pipeline.tracer.start_span("sibling")
        with (
            pipeline.tracer.start_as_current_span("outer"),
            pipeline.tracer.start_as_current_span("stands", attributes={who.attribute: "x"}),
            pipeline.tracer.start_as_current_span("middle"),
            pipeline.tracer.start_as_current_span("inner"),
        ):
            with ThreadPoolExecutor(1) as pool:
                context = get_current()
                pool.submit(lambda: (attach(context), who.set("u-1"))).result()
            child(pipeline, "below")
            assert who.current() == "u-1"
        sibling.end()
        token = attach(before)
        child(pipeline, "http send")
        detach(token)
    assert who.of(pipeline) == {
        "above": None,
        "sibling": None,
        "request": "u-1",
        "outer": "u-1",
        "stands": "x",
        "middle": "u-1",
        "inner": "u-1",
        "below": "u-1",
        "http send": "u-1",
    }


def test_a_clear_leaves_the_requests_spans_what_they_have(who, pipeline):
    """The current one is nobody, and `http send` is the request's."""
    with request_of(pipeline.tracer):
        tracium.set_tenant("acme")
        who.set("u-1")
        who.set(None)
        assert who.current() is None
        child(pipeline, "http send")
    assert who.of(pipeline) == {"request": "u-1", "http send": "u-1"}


@pytest.mark.parametrize("order", ["tenant first", "tenant last"])
def test_clearing_the_tenant_clears_them_too(who, pipeline, order):
    """The usual order of a middleware, and the other one; the request's spans keep both."""
    with request_of(pipeline.tracer):
        if order == "tenant first":
            tracium.set_tenant("acme")
        who.set("u-1")
        tracium.set_tenant("acme")
        assert who.current() == "u-1"
        tracium.set_tenant(None)
        assert who.current() is None
        child(pipeline, "http send")
    assert who.of(pipeline) == {"request": "u-1", "http send": "u-1"}
    assert pipeline.tenants() == {"request": "acme", "http send": "acme"}


def test_a_second_one_is_on_what_starts_afterwards(who, pipeline):
    """An admin acts as somebody: the request keeps the first, and where neither is said nobody is."""
    with request_of(pipeline.tracer):
        tracium.set_tenant("acme")
        before = get_current()
        who.set("admin")
        with pipeline.tracer.start_as_current_span("open"):
            who.set("u-1")
            assert who.current() == "u-1"
            child(pipeline, "afterwards")
        token = attach(before)
        child(pipeline, "http send")
        detach(token)
    assert who.of(pipeline) == {"request": "admin", "open": "admin", "afterwards": "u-1", "http send": None}
    assert notices.notices() == ()


def test_a_scope_marks_only_what_starts_inside(who, pipeline):
    """And a scope of None marks nobody, also in a request that has one."""
    with request_of(pipeline.tracer):
        with who.scope("u-1"):
            child(pipeline, "inside")
        child(pipeline, "between")
        who.set("u-2")
        with who.scope(None):
            assert who.current() is None
            child(pipeline, "nobody")
        child(pipeline, "after")
    assert who.of(pipeline) == {
        "inside": "u-1",
        "between": None,
        "nobody": None,
        "after": "u-2",
        "request": "u-2",
    }


@pytest.mark.parametrize("extracts", [True, False])
def test_nothing_is_visible_to_the_next_request_on_the_thread(who, pipeline, extracts):
    """Also when the app never clears and nobody detaches."""
    for number, user in enumerate(["a", None, "b", None]):
        attach(propagator.extract({}) if extracts else get_current())
        with pipeline.tracer.start_as_current_span(f"{number}", kind=SpanKind.SERVER):
            tracium.set_tenant("acme")
            if user is not None:
                who.set(user)
            assert who.current() == user
            child(pipeline, f"{number} child")
            stale = get_current()
        attach(set_span_in_context(INVALID_SPAN, stale))
    expected = {"0": "a", "1": None, "2": "b", "3": None}
    assert who.of(pipeline) == expected | {f"{name} child": user for name, user in expected.items()}


def test_a_worker_that_was_born_in_a_request_serves_others(who, pipeline):
    """What was left there does not count, a block that was opened afterwards does; and it lets no stale tenant in."""
    with request_of(pipeline.tracer, "birth"):
        tracium.set_tenant("first customer")
        who.set("first")
        born = get_current()
    attach(born)
    child(pipeline, "background task")
    with pipeline.tracer.start_as_current_span("unknown job", kind=SpanKind.CONSUMER):
        assert (tracium.get_current_tenant(), who.current()) == (None, None)
    with who.scope("second"), pipeline.tracer.start_as_current_span("stale", kind=SpanKind.CONSUMER):
        assert tracium.get_current_tenant() is None
    with (
        tracium.tenant("acme"),
        who.scope("second"),
        pipeline.tracer.start_as_current_span("job", kind=SpanKind.CONSUMER),
    ):
        assert (tracium.get_current_tenant(), who.current()) == ("acme", "second")
        child(pipeline, "work")
    assert who.of(pipeline) == {
        "birth": "first",
        "background task": "first",
        "unknown job": None,
        "stale": None,
        "job": "second",
        "work": "second",
    }
    assert pipeline.tenants()["stale"] is None


@pytest.mark.parametrize("tenant", ["acme", None])
def test_a_block_outlives_no_request_that_it_was_not_opened_after(who, pipeline, tenant):
    """A worker's block is open when another request begins and leaves its context behind."""
    with request_of(pipeline.tracer, "birth"):
        born = get_current()
    attach(born)
    other = tracium.set_session if who.name == "user" else tracium.set_user
    with tracium.tenant(tenant), who.scope("second"):
        with request_of(pipeline.tracer, "job", extracts=False):
            other("x")
            stale = get_current()
        token = attach(set_span_in_context(INVALID_SPAN, stale))
        with request_of(pipeline.tracer, "next", extracts=False):
            assert (tracium.get_current_tenant(), who.current()) == (None, None)
        detach(token)
        with request_of(pipeline.tracer, "second job", extracts=False):
            assert (tracium.get_current_tenant(), who.current()) == (tenant, "second")
    assert who.of(pipeline) == {"birth": None, "job": "second", "next": None, "second job": "second"}


@pytest.mark.parametrize("extracts", [True, False])
def test_cleared_belongs_to_one_request(who, pipeline, extracts):
    """The next one on the thread, whose user comes through its binding, is not cleared."""
    with request_of(pipeline.tracer, "first", extracts=extracts):
        who.set("a")
        who.set(None)
        stale = get_current()
    attach(set_span_in_context(INVALID_SPAN, stale))
    with request_of(pipeline.tracer, "second", extracts=extracts):
        here = get_current()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: (attach(here), who.set("b"))).result()
        assert who.current() == "b"
    who.set(None)
    with request_of(pipeline.tracer, "third", extracts=extracts):
        here = get_current()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: (attach(here), who.set("c"))).result()
        assert who.current() == "c"
    assert who.of(pipeline) == {"first": "a", "second": "b", "third": "c"}


def test_outside_a_request_the_current_span_is_marked(who, pipeline):
    """Once, and none above it."""
    with pipeline.tracer.start_as_current_span("outer"), pipeline.tracer.start_as_current_span("inner"):
        who.set("u-1")
        who.set("u-2")
        child(pipeline, "below")
    assert who.of(pipeline) == {"outer": None, "inner": "u-1", "below": "u-2"}


def test_receiving_spans_are_never_marked(who, pipeline):
    """They serve many."""
    receive = {"messaging.operation.type": "receive"}
    with who.scope("u-1"):
        child(pipeline, "inside", kind=SpanKind.CONSUMER, attributes=receive)
    with pipeline.tracer.start_as_current_span("current", kind=SpanKind.CONSUMER, attributes=receive):
        who.set("u-1")
    assert who.of(pipeline) == {"inside": None, "current": None}


def test_the_answers_are_the_same_where_nothing_is_sampled(who, make_pipeline):
    """And nothing is hung on shared spans."""
    pipeline = make_pipeline(sampler=ALWAYS_OFF)
    with request_of(pipeline.tracer):
        context = get_current()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: (attach(context), who.set("u-1"))).result()
        assert who.current() == "u-1"
        who.set(None)
        assert who.current() is None
    assert who.current() is None


def test_what_the_caller_gave_to_a_span_stays(who, pipeline):
    """Whatever the context and the request say."""
    with tracium.tenant("acme"), who.scope("u-1"):
        child(pipeline, "fast", attributes={who.attribute: "given"})
        child(pipeline, "server", kind=SpanKind.SERVER, attributes={who.attribute: "given"})
    assert who.of(pipeline) == {"fast": "given", "server": "given"}


def test_another_vendors_span_is_marked_once(who):
    """It cannot be read, so what we wrote there is remembered."""
    span = ForeignSpan()
    with use_span(span):
        tracium.set_tenant("acme")
        who.set("u-1")
        who.set("u-2")
        tracium.set_tenant("globex")
        who.set("u-3")
    assert span.written == {"tenant.id": "acme", who.attribute: "u-1"}


def test_another_vendors_request_span_is_marked(who):
    """Whether the tenant or the user comes first."""
    for verbs in ([who.set, tracium.set_tenant], [tracium.set_tenant, who.set]):
        token = attach(propagator.extract({}))
        with use_span(ForeignSpan()) as span:
            for verb in verbs:
                verb("x")
        detach(token)
        assert span.written == {"tenant.id": "x", who.attribute: "x"}


def test_an_id_is_whole_or_not_there(who, make_pipeline, way):
    """A part of an id is another one: directly it goes out whole, publicly not at all."""
    pipeline = make_pipeline(span_limits=SpanLimits(max_span_attribute_length=4))
    with tracium.tenant("acme"):
        with who.scope("user-of-many-letters"):
            child(pipeline, "cut")
        with who.scope("u-1"):
            child(pipeline, "short")
    assert who.of(pipeline) == {"cut": "user-of-many-letters" if way == "direct" else None, "short": "u-1"}
    assert [notice.key for notice in notices.notices()] == ([] if way == "direct" else [f"tenant:cut:{who.attribute}"])


async def test_tasks_and_threads_take_them_along_and_are_apart(who, pipeline):
    """gather, threads, and a task that outlives its request."""
    late = []

    async def serve(user):
        with request_of(pipeline.tracer, f"request {user}"):
            tracium.set_tenant("acme")
            who.set(user)
            await asyncio.sleep(0)
            await asyncio.to_thread(child, pipeline, f"thread {user}")
            late.append(asyncio.create_task(after(user)))

    async def after(user):
        await asyncio.sleep(0.001)
        assert who.current() == user
        child(pipeline, f"late {user}")

    await asyncio.gather(*(serve(f"u{number}") for number in range(30)))
    await asyncio.gather(*late)
    found = who.of(pipeline)
    assert len(found) == 90
    assert all(name.endswith(f" {user}") for name, user in found.items())
    assert who.current() is None


def test_of_threads_that_race_one_is_the_requests(who, pipeline):
    """Whoever was not the first has it in a context of its own."""
    for number in range(30):
        with request_of(pipeline.tracer, f"request {number}"):
            context, barrier, seen = get_current(), threading.Barrier(3), []

            def race(user, context=context, barrier=barrier, seen=seen):
                attach(context)
                barrier.wait()
                who.set(user)
                seen.append(who.current())

            threads = [threading.Thread(target=race, args=(f"u{n}",)) for n in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(seen) == ["u0", "u1", "u2"]
        assert pipeline.span(f"request {number}").attributes[who.attribute] in seen


def test_a_context_that_is_passed_counts_and_never_the_ambient_one(who, pipeline):
    """As for the tenant."""
    with who.scope("a"):
        context = get_current()
    with who.scope("b"):
        child(pipeline, "a", context=context)
        child(pipeline, "none", context=Context())
        child(pipeline, "b")
    assert who.of(pipeline) == {"a": "a", "none": None, "b": "b"}


def test_carry_takes_it_along(who):
    """Wherever the function is called."""
    with who.scope("u-1"):
        carried = tracium.carry(who.current)
    assert (carried(), who.current()) == ("u-1", None)


def test_spans_in_a_request_whose_tenant_is_known_are_not_kept_alive(pipeline):
    """They know the spans above them, for a user that is set later; a chain of them may be endless."""
    spans, previous = [], None
    with request_of(pipeline.tracer):
        tracium.set_tenant("acme")
        context = get_current()
        for number in range(100):
            span = pipeline.tracer.start_span(f"{number}", context=context)
            context = set_span_in_context(span, context)
            if previous is not None:
                previous.end()
            previous = span
            spans.append(weakref.ref(span))
        previous.end()
        del span, previous
        pipeline.clear()
        gc.collect()
        assert sum(ref() is not None for ref in spans) <= 1
