"""The nine rules of tenancy, one after the other, on both ways to mark spans."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import baggage
from opentelemetry.context import Context, attach, detach, get_current, set_value
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import INVALID_SPAN, SpanKind, set_span_in_context, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from support.foreign import ForeignSpan

import tracium
from tracium.boundary.propagation import TenantPropagator
from tracium.tenancy.request import PLACE

propagator = TenantPropagator(CompositePropagator([TraceContextTextMapPropagator()]))


class Request:
    """One request as a server instrumentation makes it: extract, attach, SERVER span; all of it detached at the end."""

    def __init__(self, tracer, name="request", *, kind=SpanKind.SERVER, extracts=True, attributes=None, carrier=None):
        self.tracer, self.name, self.kind, self.extracts = tracer, name, kind, extracts
        self.attributes, self.carrier = attributes, carrier or {}

    def __enter__(self):
        context = propagator.extract(self.carrier) if self.extracts else get_current()
        self.token = attach(context)
        self.span = self.tracer.start_span(self.name, kind=self.kind, attributes=self.attributes)
        self.use = use_span(self.span, end_on_exit=True)
        self.use.__enter__()
        return self.span

    def __exit__(self, *error):
        self.use.__exit__(*error)
        detach(self.token)


def child(pipeline, name, **options):
    pipeline.tracer.start_span(name, **options).end()


# 1. One source of truth


def test_the_tenant_is_baggage(pipeline):
    """What was set is there for everyone who knows OpenTelemetry's API."""
    tracium.set_tenant("acme")
    assert baggage.get_baggage("tenant.id") == "acme"
    tracium.set_tenant(None)
    assert baggage.get_baggage("tenant.id") is None


def test_baggage_that_other_code_writes_is_honoured(pipeline):
    """Set, changed next to it, removed and cleared with OpenTelemetry's own API."""
    tracium.set_tenant("acme")
    attach(baggage.set_baggage("color", "blue"))
    assert tracium.get_current_tenant() == "acme"
    child(pipeline, "kept")
    attach(baggage.set_baggage("tenant.id", "globex"))
    assert tracium.get_current_tenant() == "globex"
    child(pipeline, "changed")
    attach(baggage.remove_baggage("tenant.id"))
    assert tracium.get_current_tenant() is None
    child(pipeline, "removed")
    tracium.set_tenant("acme")
    attach(baggage.clear())
    child(pipeline, "cleared")
    assert pipeline.tenants() == {"kept": "acme", "changed": "globex", "removed": None, "cleared": None}


@pytest.mark.parametrize("value", ["", "x" * 300, "a\nb", 7])
def test_baggage_that_cannot_be_a_tenant_is_ignored_and_said_once(pipeline, value, caplog):
    """It never reaches telemetry."""
    attach(baggage.set_baggage("tenant.id", value))
    child(pipeline, "first")
    child(pipeline, "second")
    assert tracium.get_current_tenant() is None
    assert pipeline.tenants() == {"first": None, "second": None}
    assert len([r for r in caplog.records if "cannot be a tenant id" in r.getMessage()]) == 1


def test_unsampled_answers_are_the_same_and_nothing_is_hung_on_shared_spans(make_pipeline):
    """INVALID_SPAN is one object for the whole process."""
    pipeline = make_pipeline(sampler=ALWAYS_OFF)
    with Request(pipeline.tracer) as span:
        with ThreadPoolExecutor(1) as pool:
            context = get_current()
            pool.submit(lambda: (attach(context), tracium.set_tenant("acme"))).result()
        assert tracium.get_current_tenant() == "acme"
        tracium.set_tenant(None)
        assert tracium.get_current_tenant() is None
    assert tracium.get_current_tenant() is None
    assert not hasattr(span, PLACE)
    assert not hasattr(INVALID_SPAN, PLACE)


def test_it_works_without_the_sdk():
    """The interface needs the API only."""
    code = (
        "import sys\nsys.modules['opentelemetry.sdk'] = None\nimport tracium\ntracium.set_tenant('acme')\n"
        "with tracium.tenant('globex'), tracium.start_trace('agent'):\n"
        "    assert tracium.get_current_tenant() == 'globex'\n"
        "assert tracium.get_current_tenant() == 'acme'\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_span_of_another_provider_is_marked_once():
    """The current one is marked when the tenant is set; a tenant that stands is not replaced."""
    span = ForeignSpan()
    with use_span(span):
        tracium.set_tenant("acme")
        tracium.set_tenant("globex")
        assert tracium.get_current_tenant() == "globex"
    assert span.written == {"tenant.id": "acme"}


# 2. A new span's tenant


def test_the_callers_attribute_comes_first(pipeline):
    """Then the parent context, the request, the default."""
    with tracium.tenant("context"):
        child(pipeline, "given", attributes={"tenant.id": "given"})
        child(pipeline, "context")
    assert pipeline.tenants() == {"given": "given", "context": "context"}


def test_the_parent_context_counts_and_never_the_ambient_one(pipeline):
    """A span started with context=A inside B belongs to A."""
    with tracium.tenant("A"):
        context = get_current()
    with tracium.tenant("B"):
        child(pipeline, "a", context=context)
        child(pipeline, "none", context=Context())
        child(pipeline, "b")
    assert pipeline.tenants() == {"a": "A", "none": None, "b": "B"}


def test_the_binding_holds_where_the_context_says_nothing(pipeline):
    """A tenant that was set in a copy of the context (a thread, a dependency) holds in the request."""
    with Request(pipeline.tracer):
        before = get_current()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: (attach(before), tracium.set_tenant("acme"))).result()
        child(pipeline, "later")
        assert tracium.get_current_tenant() == "acme"
    assert pipeline.tenants() == {"later": "acme", "request": "acme"}


def test_the_default_comes_last(make_pipeline):
    """It marks what has no tenant, and is nobody's current tenant."""
    pipeline = make_pipeline(default="anonymous")
    child(pipeline, "nobody")
    assert tracium.get_current_tenant() is None
    with tracium.tenant("acme"):
        child(pipeline, "somebody")
    assert pipeline.tenants() == {"nobody": "anonymous", "somebody": "acme"}


# 3. set_tenant


@pytest.mark.parametrize("extracts", [True, False])
def test_it_marks_the_open_spans_up_to_the_request_and_not_above(pipeline, extracts):
    """Neither siblings, nor what stands, nor what is above the request."""
    tracer = pipeline.tracer
    with tracer.start_as_current_span("above"), Request(tracer, extracts=extracts):
        sibling = tracer.start_span("sibling")
        with (
            tracer.start_as_current_span("outer"),
            tracer.start_as_current_span("stands", attributes={"tenant.id": "x"}),
            tracer.start_as_current_span("inner"),
        ):
            tracium.set_tenant("acme")
            child(pipeline, "below")
        sibling.end()
    assert pipeline.tenants() == {
        "above": None,
        "request": "acme",
        "outer": "acme",
        "stands": "x",
        "inner": "acme",
        "below": "acme",
        "sibling": None,
    }


def test_an_ended_span_between_does_not_break_the_chain(pipeline):
    """The open ones above it are found."""
    tracer = pipeline.tracer
    with Request(tracer), tracer.start_as_current_span("outer"):
        middle = tracer.start_span("middle")
        context = set_span_in_context(middle)
        middle.end()
        inner = tracer.start_span("inner", context=context)
        with use_span(inner, end_on_exit=True):
            tracium.set_tenant("acme")
    assert pipeline.tenants() == {"middle": None, "inner": "acme", "outer": "acme", "request": "acme"}


def test_outside_a_request_it_marks_the_current_span_only(pipeline):
    """And only if it is unmarked."""
    tracer = pipeline.tracer
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
        tracium.set_tenant("acme")
        tracium.set_tenant("globex")
        child(pipeline, "below")
    assert pipeline.tenants() == {"outer": None, "inner": "acme", "below": "globex"}


def test_descendants_can_read_the_binding_after_the_request_has_ended(pipeline):
    """A background task belongs to the request that started it."""
    with Request(pipeline.tracer):
        late = get_current()
        with tracium.tenant(None):
            pass
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: (attach(late), tracium.set_tenant("acme"))).result()
    token = attach(late)
    child(pipeline, "late")
    assert tracium.get_current_tenant() == "acme"
    detach(token)
    assert pipeline.tenants() == {"request": "acme", "late": "acme"}


def test_a_tenant_that_was_set_before_the_server_span_begins_is_its_tenant(pipeline):
    """Some middleware runs between extract and the span."""
    token = attach(propagator.extract({}))
    tracium.set_tenant("acme")
    with pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER):
        child(pipeline, "below")
    detach(token)
    assert pipeline.tenants() == {"request": "acme", "below": "acme"}


# 4. Three states


@pytest.mark.parametrize("extracts", [True, False])
def test_after_a_clear_the_requests_spans_keep_its_tenant(pipeline, extracts):
    """`http send` comes after the middleware has cleared."""
    with Request(pipeline.tracer, extracts=extracts):
        tracium.set_tenant("acme")
        tracium.set_tenant(None)
        assert tracium.get_current_tenant() is None
        child(pipeline, "http send")
    assert pipeline.tenants() == {"http send": "acme", "request": "acme"}


@pytest.mark.parametrize("extracts", [True, False])
def test_cleared_belongs_to_one_request(pipeline, extracts):
    """The next one on the thread, whose tenant comes through its binding, is not cleared."""
    with Request(pipeline.tracer, "first", extracts=extracts):
        tracium.set_tenant("acme")
        tracium.set_tenant(None)
        stale = get_current()
    attach(set_span_in_context(INVALID_SPAN, stale))
    with Request(pipeline.tracer, "second", extracts=extracts):
        here = get_current()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: (attach(here), tracium.set_tenant("globex"))).result()
        assert tracium.get_current_tenant() == "globex"
    assert pipeline.tenants() == {"first": "acme", "second": "globex"}


def test_a_scope_of_none_gives_spans_without_a_tenant(make_pipeline):
    """Also in a bound request, and no default either."""
    pipeline = make_pipeline(default="anonymous")
    with Request(pipeline.tracer):
        tracium.set_tenant("acme")
        with tracium.tenant(None):
            assert tracium.get_current_tenant() is None
            child(pipeline, "nobody")
        assert tracium.get_current_tenant() == "acme"
    assert pipeline.tenants() == {"nobody": None, "request": "acme"}


# 5. A request has one tenant


def test_a_second_tenant_is_mixed(pipeline, caplog):
    """The context follows, the request keeps the first, one warning, no fall-back from there."""
    with Request(pipeline.tracer):
        before = get_current()
        tracium.set_tenant("first")
        tracium.set_tenant("second")
        assert tracium.get_current_tenant() == "second"
        child(pipeline, "second")
        tracium.set_tenant("third")
        child(pipeline, "lost", context=before)
        token = attach(before)
        assert tracium.get_current_tenant() is None
        detach(token)
    assert pipeline.tenants() == {"second": "second", "lost": None, "request": "first"}
    assert pipeline.span("request").attributes["tracium.tenant.mixed"] is True
    assert len([r for r in caplog.records if "second one" in r.getMessage()]) == 1


def test_the_same_tenant_again_is_not_mixed(pipeline):
    """Middleware and endpoint may both set it."""
    with Request(pipeline.tracer):
        tracium.set_tenant("acme")
        tracium.set_tenant("acme")
        tracium.set_tenant(None)
        tracium.set_tenant("acme")
    assert "tracium.tenant.mixed" not in pipeline.span("request").attributes


def test_scopes_serve_many_tenants_in_one_request(pipeline):
    """A scope marks only spans that start inside it and does not bind."""
    with Request(pipeline.tracer):
        for tenant in ("a", "b"):
            with tracium.tenant(tenant):
                child(pipeline, tenant)
        child(pipeline, "between")
    assert pipeline.tenants() == {"a": "a", "b": "b", "between": None, "request": None}
    assert "tracium.tenant.mixed" not in pipeline.span("request").attributes


# 6. A default never binds


def test_the_first_tenant_replaces_the_default(make_pipeline):
    """On the request's span too."""
    pipeline = make_pipeline(default="anonymous")
    with Request(pipeline.tracer), pipeline.tracer.start_as_current_span("inner"):
        tracium.set_tenant("acme")
    with Request(pipeline.tracer, "other"):
        pass
    assert pipeline.tenants() == {"inner": "acme", "request": "acme", "other": "anonymous"}


# 7. and 8. Isolation, and no tenant rather than a wrong one


@pytest.mark.parametrize("extracts", [True, False])
def test_nothing_is_visible_to_the_next_request_on_the_thread(pipeline, extracts):
    """Also when the app never clears and nobody detaches."""
    for number, tenant in enumerate(["a", None, "b", None, None, "a"]):
        context = propagator.extract({}) if extracts else get_current()
        attach(context)
        with pipeline.tracer.start_as_current_span(f"{number}", kind=SpanKind.SERVER):
            if tenant is not None:
                tracium.set_tenant(tenant)
            assert tracium.get_current_tenant() == tenant
            child(pipeline, f"{number} child")
            # a server that keeps the context of the request on the thread
            stale = get_current()
        attach(set_span_in_context(INVALID_SPAN, stale))
    expected = {"0": "a", "1": None, "2": "b", "3": None, "4": None, "5": "a"}
    assert pipeline.tenants() == expected | {f"{name} child": tenant for name, tenant in expected.items()}


async def test_tasks_are_apart(pipeline):
    """gather, TaskGroup and tasks that outlive the request."""
    late = []

    async def serve(tenant):
        with Request(pipeline.tracer, f"request {tenant}"):
            await asyncio.sleep(0)
            tracium.set_tenant(tenant)
            await asyncio.sleep(0.001)
            late.append(asyncio.create_task(after(tenant)))
            async with asyncio.TaskGroup() as group:
                group.create_task(work(f"part {tenant}", tenant))
            await work(f"work {tenant}", tenant)

    async def work(name, tenant):
        await asyncio.sleep(0)
        child(pipeline, name)
        assert tracium.get_current_tenant() == tenant

    async def after(tenant):
        await asyncio.sleep(0.01)
        child(pipeline, f"late {tenant}")

    await asyncio.gather(*(serve(f"t{number}") for number in range(50)))
    await asyncio.gather(*late)
    tenants = pipeline.tenants()
    assert len(tenants) == 200
    assert all(name.endswith(f" {tenant}") for name, tenant in tenants.items())
    assert tracium.get_current_tenant() is None


def test_of_threads_that_race_one_binds(pipeline):
    """The request has one tenant, and says that more were set."""
    for number in range(50):
        with Request(pipeline.tracer, f"request {number}"):
            context, barrier, seen = get_current(), threading.Barrier(4), []

            def race(tenant, context=context, barrier=barrier, seen=seen):
                attach(context)
                barrier.wait()
                tracium.set_tenant(tenant)
                seen.append(tracium.get_current_tenant())

            threads = [threading.Thread(target=race, args=(f"t{n}",)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(seen) == ["t0", "t1", "t2", "t3"]
        span = pipeline.span(f"request {number}")
        assert span.attributes["tenant.id"] in seen
        assert span.attributes["tracium.tenant.mixed"] is True


@pytest.mark.parametrize("traced", [True, False])
def test_messages_in_a_loop_under_one_long_span_are_requests_of_their_own(pipeline, traced):
    """Whatever their parent; the loop's span is never marked."""
    with pipeline.tracer.start_as_current_span("loop"):
        for number, tenant in enumerate(["a", "b", None, "a"]):
            carrier = {"traceparent": f"00-{number + 1:032x}-{number + 1:016x}-01"} if traced else {}
            with Request(pipeline.tracer, f"message {number}", kind=SpanKind.CONSUMER, carrier=carrier):
                if tenant is not None:
                    tracium.set_tenant(tenant)
                child(pipeline, f"work {number}")
        child(pipeline, "after")
    tenants = pipeline.tenants()
    assert [tenants[f"message {n}"] for n in range(4)] == ["a", "b", None, "a"]
    assert [tenants[f"work {n}"] for n in range(4)] == ["a", "b", None, "a"]
    assert (tenants["loop"], tenants["after"]) == (None, None)


@pytest.mark.parametrize(
    "attributes",
    [
        {"messaging.operation.type": "receive"},
        {"messaging.operation": "poll"},
        {"messaging.operation.type": "process", "messaging.batch.message_count": 3},
    ],
)
def test_receiving_and_batches_are_no_requests_and_never_marked(make_pipeline, attributes):
    """They serve many tenants."""
    pipeline = make_pipeline(default="anonymous")
    with tracium.tenant("acme"):
        child(pipeline, "started inside", kind=SpanKind.CONSUMER, attributes=attributes)
    with pipeline.tracer.start_as_current_span("current", kind=SpanKind.CONSUMER, attributes=attributes):
        tracium.set_tenant("acme")
    assert pipeline.tenants() == {"started inside": None, "current": None}


# 9. Recording never breaks the app


def test_a_fault_of_ours_is_logged_once_and_the_app_goes_on(pipeline, caplog):
    """With a context that holds nonsense under our key."""
    from tracium import faults
    from tracium.tenancy.standing import STANDING

    broken = set_value(STANDING, "nonsense", Context())
    faults._raising = False
    with caplog.at_level(logging.ERROR):
        child(pipeline, "first", context=broken)
        child(pipeline, "second", context=broken)
    assert set(pipeline.tenants()) == {"first", "second"}
    assert len([r for r in caplog.records if "tracium failed while" in r.getMessage()]) == 1


def test_ended_spans_are_not_kept_alive(pipeline):
    """A chain in which each span begins under the one before may be endless."""
    context, spans = propagator.extract({}), []
    with Request(pipeline.tracer):
        context = get_current()
        previous = None
        for number in range(300):
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
        assert sum(ref() is not None for ref in spans) <= 3
