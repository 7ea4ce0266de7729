"""One message is one request: its own tenant, its own trace, and nothing of it afterwards."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from contextlib import ExitStack

import pytest
from opentelemetry import baggage
from opentelemetry.context import attach, get_current
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import INVALID_SPAN, SpanKind, StatusCode, get_current_span
from support.foreign import ForeignSpan

import tracium
from tracium import faults, notices
from tracium.queues import inject, message
from tracium.testing import tenant_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@pytest.fixture(autouse=True)
def _traced(pipeline, monkeypatch):
    """The spans of messages come from this test's pipeline."""
    # By its name: the package's own `message` is the function.
    monkeypatch.setattr(sys.modules["tracium.queues.message"], "_tracer", pipeline.tracer)


def headers_of(tenant, *, trace=TRACE):
    headers = {} if tenant is None else {"baggage": f"tenant.id={tenant}"}
    return headers if trace is None else headers | {"traceparent": f"00-{trace}-{PARENT}-01"}


def current():
    return tracium.get_current_tenant()


def test_a_message_belongs_to_the_tenant_and_the_trace_of_its_headers(pipeline):
    """Its span says what it is."""
    with message(headers_of("acme"), destination="orders", system="kafka", message_id="7") as span:
        assert span is get_current_span()
        assert current() == "acme"
        with pipeline.tracer.start_as_current_span("work"):
            pass
    assert (current(), get_current_span()) == (None, INVALID_SPAN)
    processed = pipeline.span("process orders")
    assert processed.kind is SpanKind.CONSUMER
    assert dict(processed.attributes) == {
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.system": "kafka",
        "messaging.destination.name": "orders",
        "messaging.message.id": "7",
        "tenant.id": "acme",
    }
    assert f"{processed.context.trace_id:032x} {processed.parent.span_id:016x}" == f"{TRACE} {PARENT}"
    assert processed.links == ()
    assert pipeline.tenants() == {"process orders": "acme", "work": "acme"}


def test_what_is_not_said_is_not_in_the_span(pipeline):
    """A queue may have no name."""
    with message(None):
        pass
    assert dict(pipeline.span("process").attributes) == {
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
    }


def test_a_batch_keeps_its_messages_apart(pipeline):
    """The span around them is nobody's, each message has its own trace and leads to it."""
    sent = ["acme", "globex", None, "acme", "initech"]
    with pipeline.tracer.start_as_current_span("batch") as batch:
        for number, tenant in enumerate(sent):
            with message(headers_of(tenant, trace=f"{number + 1:032x}"), destination=f"{number}"):
                assert current() == tenant
                if tenant is None:
                    tracium.set_tenant("late")
            assert current() is None
            assert get_current_span() is batch
    tenants = pipeline.tenants()
    assert tenants.pop("batch") is None
    assert list(tenants.values()) == ["acme", "globex", "late", "acme", "initech"]
    for number in range(len(sent)):
        span = pipeline.span(f"process {number}")
        assert span.context.trace_id == number + 1
        assert [link.context.span_id for link in span.links] == [batch.get_span_context().span_id]


def test_a_message_without_a_trace_is_under_the_batch(pipeline):
    """And still a request of its own: nothing that is set in it marks the batch."""
    with pipeline.tracer.start_as_current_span("batch", kind=SpanKind.CONSUMER) as batch:
        for tenant in ("acme", "globex"):
            with message(None, destination=tenant):
                tracium.set_tenant(tenant)
    assert pipeline.tenants() == {"process acme": "acme", "process globex": "globex", "batch": None}
    for tenant in ("acme", "globex"):
        assert pipeline.span(f"process {tenant}").parent.span_id == batch.get_span_context().span_id
        assert pipeline.span(f"process {tenant}").links == ()


@pytest.mark.parametrize("around", ["set", "block", "nobody", "baggage", "message", "cleared"])
@pytest.mark.parametrize("tenant", ["acme", None])
def test_whoever_is_around_does_not_show_inside_and_is_back_afterwards(pipeline, around, tenant):
    """A worker may serve anybody between two messages."""
    with ExitStack() as stack:
        if around == "set":
            tracium.set_tenant("around")
        elif around == "block":
            stack.enter_context(tracium.tenant("around"))
        elif around == "nobody":
            stack.enter_context(tracium.tenant(None))
        elif around == "baggage":
            attach(baggage.set_baggage("color", "blue", baggage.set_baggage("tenant.id", "around")))
        elif around == "message":
            stack.enter_context(message(headers_of("around"), destination="around"))
        else:
            tracium.set_tenant("around")
            tracium.set_tenant(None)
        before, was = get_current(), current()
        with message(headers_of(tenant), destination="inner"):
            assert current() == tenant
            assert dict(baggage.get_all()) == ({} if tenant is None else {"tenant.id": tenant})
            tracium.set_tenant("acme")
            with pipeline.tracer.start_as_current_span("work"):
                assert current() == "acme"
        assert get_current() is before
        assert current() == was
    assert pipeline.tenants()["process inner"] == pipeline.tenants()["work"] == "acme"
    assert pipeline.tenants().get("process around", "around") == "around"


@pytest.mark.parametrize(
    ("brought", "steps", "span", "later", "mixed"),
    [
        (None, ["acme"], "acme", "acme", None),
        ("acme", ["acme"], "acme", "acme", None),
        ("acme", ["globex"], "acme", "globex", True),
        ("acme", ["globex", None], "acme", None, True),
        (None, ["acme", "globex"], "acme", "globex", True),
        ("acme", [None], "acme", None, None),
        (None, [None], None, None, None),
        (None, ["acme", None], "acme", None, None),
    ],
)
def test_a_tenant_that_is_set_inside(pipeline, brought, steps, span, later, mixed):
    """The rules of requests: the first one stays on the span, a second one is said; the next message knows nothing of it."""
    with message(headers_of(brought), destination="orders"):
        for tenant in steps:
            tracium.set_tenant(tenant)
        assert current() == later
    assert tenant_of(pipeline.span("process orders")) == span
    assert pipeline.span("process orders").attributes.get("tracium.tenant.mixed") is mixed
    with message(headers_of(None), destination="next"):
        assert current() is None
    assert pipeline.tenants()["process next"] is None


def test_a_scope_inside_marks_only_what_starts_in_it(pipeline):
    """Work for several in one message."""
    with message(headers_of("acme"), destination="orders"):
        with tracium.tenant("globex"), pipeline.tracer.start_as_current_span("other"):
            pass
        assert current() == "acme"
    assert pipeline.tenants() == {"other": "globex", "process orders": "acme"}
    assert "tracium.tenant.mixed" not in pipeline.span("process orders").attributes


@pytest.mark.parametrize(
    "error", [ValueError("mine"), StopIteration(1), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()]
)
def test_an_exception_goes_on_unchanged(pipeline, error):
    """Recorded where it is an error, and the worker is clean all the same."""
    cause = KeyError("cause")

    def work():
        with message(headers_of("acme"), destination="orders"):
            tracium.set_tenant("globex")
            raise error from cause

    with pytest.raises(type(error)) as caught:
        work()
    assert caught.value is error
    assert (error.__cause__, error.__context__) == (cause, None)
    assert (current(), get_current_span()) == (None, INVALID_SPAN)
    span = pipeline.span("process orders")
    assert (span.status.status_code is StatusCode.ERROR) == isinstance(error, Exception)
    assert tenant_of(span) == "acme"


async def test_messages_at_once_keep_apart(pipeline):
    """Two tasks, switched at every await."""

    async def process(number, tenant):
        with message(headers_of(tenant, trace=f"{number + 1:032x}"), destination=f"{number}"):
            for _ in range(5):
                await asyncio.sleep(0)
                assert current() == tenant
                assert get_current_span().get_span_context().trace_id == number + 1
                with pipeline.tracer.start_as_current_span(f"work {number}"):
                    await asyncio.sleep(0)
        assert current() is None

    tenants = ["acme", "globex", None, "initech"]
    await asyncio.gather(*(process(*each) for each in enumerate(tenants)))
    for number, tenant in enumerate(tenants):
        spans = [span for span in pipeline.spans if span.name in {f"work {number}", f"process {number}"}]
        assert {(span.context.trace_id, tenant_of(span)) for span in spans} == {(number + 1, tenant)}
        assert len(spans) == 6


async def test_a_task_that_goes_on_after_its_message_keeps_its_tenant(pipeline):
    """And those that the next message starts have that one's."""
    release, seen = asyncio.Event(), []

    async def later():
        await release.wait()
        with pipeline.tracer.start_as_current_span(f"later {current()}"):
            seen.append(current())
        with message(headers_of("own"), destination="own"):
            seen.append(current())
        seen.append(current())

    tasks = []
    for tenant in ("acme", "globex", None):
        with message(headers_of(tenant)):
            tasks.append(asyncio.create_task(later()))
    release.set()
    await asyncio.gather(*tasks)
    assert seen == ["acme", "own", "acme", "globex", "own", "globex", None, "own", None]
    assert {name: tenant for name, tenant in pipeline.tenants().items() if name.startswith("later")} == {
        "later acme": "acme",
        "later globex": "globex",
        "later None": None,
    }


def test_a_thread_that_goes_on_after_its_message_keeps_its_tenant(pipeline):
    """Where it was given the context."""
    release, seen = threading.Event(), []

    def later():
        release.wait(5)
        with pipeline.tracer.start_as_current_span("later"):
            seen.append(current())

    with message(headers_of("acme")):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(later,))
        thread.start()
    with message(headers_of("globex")):
        release.set()
        thread.join()
    assert seen == ["acme"]
    assert pipeline.tenants()["later"] == "acme"


def test_a_thread_that_was_started_in_a_message_serves_others():
    """Each as itself, whoever was there when it was started; and it has back what it had."""
    seen = []

    def consume():
        for tenant in ("globex", None, "initech"):
            with message(headers_of(tenant)):
                seen.append(current())
            seen.append(current())

    with message(headers_of("acme")):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(consume,))
        thread.start()
    thread.join()
    assert seen == ["globex", "acme", None, "acme", "initech", "acme"]


def test_a_generator_of_messages_serves_one_after_the_other(pipeline):
    """A consumer may hand its messages out from within their blocks: the caller then works for them."""

    def consume(*tenants):
        for tenant in tenants:
            with message(headers_of(tenant), destination=f"{tenant}"):
                yield tenant

    for tenant in consume("acme", None, "globex"):
        assert current() == tenant
        with pipeline.tracer.start_as_current_span(f"work {tenant}"):
            pass
    assert (current(), get_current_span()) == (None, INVALID_SPAN)
    for tenant in consume("acme", "globex"):
        tracium.set_tenant(tenant)
        break
    assert (current(), get_current_span()) == (None, INVALID_SPAN)
    for name, tenant in pipeline.tenants().items():
        assert tenant == {"acme": "acme", "globex": "globex", "None": None}[name.split()[1]]


@pytest.mark.parametrize(
    "order",
    [[1, 0], [1, 2, 0], [0, 1], [0, 1, 2], [1, 0, 2], [0, 2, 1]],
)
def test_messages_that_end_in_another_order_leave_nothing(order):
    """As with a batch that is entered as a whole, or two generators of messages that take turns."""
    blocks = [message(headers_of(f"t{number}")) for number in range(len(order))]
    for block in blocks:
        block.__enter__()
    for number in order:
        blocks[number].__exit__(None, None, None)
    assert (current(), get_current_span()) == (None, INVALID_SPAN)


def test_a_default_is_for_those_without_a_tenant(make_pipeline, monkeypatch):
    """And for them only; nobody else is told it."""
    pipeline = make_pipeline("anonymous")
    monkeypatch.setattr(sys.modules["tracium.queues.message"], "_tracer", pipeline.tracer)
    for tenant in (None, "acme", None):
        with message(headers_of(tenant), destination=f"{tenant}"):
            assert current() == tenant
            headers = {}
            inject(headers)
            assert ("baggage" in headers) == (tenant is not None)
    with message(None, destination="late"):
        tracium.set_tenant("globex")
    assert pipeline.tenants() == {"process None": "anonymous", "process acme": "acme", "process late": "globex"}


def test_unsampled_messages_have_their_tenants(make_pipeline, monkeypatch):
    """Nothing is recorded, and everything is known."""
    pipeline = make_pipeline(sampler=ALWAYS_OFF)
    monkeypatch.setattr(sys.modules["tracium.queues.message"], "_tracer", pipeline.tracer)
    for tenant in ("acme", None, "globex"):
        with message(headers_of(tenant)):
            assert current() == tenant
            forwarded = {}
            inject(forwarded)
        with message(forwarded):
            assert current() == tenant
            assert f"{get_current_span().get_span_context().trace_id:032x}" == TRACE
        assert current() is None
    assert pipeline.spans == ()


class ForeignTracer:
    """Of another vendor: it makes spans of its own kind, and no processor of ours sees them."""

    def __init__(self):
        self.spans = []

    def start_as_current_span(self, *_, **__):
        from opentelemetry.trace import use_span

        self.spans.append(ForeignSpan())
        return use_span(self.spans[-1])


def test_under_another_vendors_provider(monkeypatch):
    """The tenant is known there too, and apart from the next one's; what is set marks the message's own span."""
    tracer = ForeignTracer()
    monkeypatch.setattr(sys.modules["tracium.queues.message"], "_tracer", tracer)
    for tenant in ("acme", None, "globex"):
        with message(headers_of(tenant)):
            assert current() == tenant
            tracium.set_tenant(tenant or "late")
        assert current() is None
    assert [span.written["tenant.id"] for span in tracer.spans] == ["acme", "late", "globex"]


def test_another_vendors_span_is_marked_with_the_tenant_that_is_brought(monkeypatch):
    """Its CONSUMER span is the message's, and nobody else would tell it."""
    tracer = ForeignTracer()
    monkeypatch.setattr(sys.modules["tracium.queues.message"], "_tracer", tracer)
    with message(headers_of("acme")):
        pass
    assert tracer.spans[0].written == {"tenant.id": "acme"}


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(value, id=repr(value))
        for value in (7, "tenant.id=acme", b"tenant.id=acme", [("a",)], ["text"], [1], [("a", "b", "c")])
    ],
)
def test_what_are_no_headers_is_refused_at_once(wrong):
    """With a sentence; the body does not run for whoever is around."""
    tracium.set_tenant("around")
    with pytest.raises(TypeError, match=r"^tracium\.queues\.message\(\) takes "), message(wrong):
        raise AssertionError("it runs")


def test_pairs_may_come_once():
    """From a generator, or `zip`."""
    with message(iter(headers_of("acme").items())):
        assert current() == "acme"


def test_the_headers_of_another_message_are_not_this_ones():
    """Kafka's clients give `()` and None for no headers, which is the same object for all."""
    from opentelemetry.baggage.propagation import W3CBaggagePropagator

    from tracium.boundary.propagation import TenantPropagator
    from tracium.queues.headers import GETTER

    for nothing in ((), None):
        with message(nothing):
            tracium.set_tenant("acme")
            attach(TenantPropagator(W3CBaggagePropagator()).extract(nothing, getter=GETTER))
            assert current() is None


class Broken(dict):
    """Headers that cannot be read."""

    def items(self):
        raise OSError("broken")


def test_a_fault_while_reading_gives_no_tenant(pipeline, monkeypatch):
    """The message is processed all the same, and for nobody, as one that is broken."""
    monkeypatch.setattr(faults, "_raising", False)
    tracium.set_tenant("around")
    with message(Broken(), destination="orders"):
        assert current() is None
        tracium.set_tenant("acme")
    assert current() == "around"
    assert pipeline.tenants()["process orders"] == "acme"
    assert len(notices.notices()) == 1


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("tenant.id=" + "a" * 256, "invalid"),
        ("tenant.id=%zz", "broken"),
        ("tenant.id=acme,x=" + "y" * 9000, "oversize"),
        ("tenant.id=a,tenant.id=b", "ambiguous"),
    ],
)
def test_with_a_bad_tenant_a_message_is_processed_without_one(pipeline, header, reason):
    """In its trace, and said."""
    tracium.set_tenant("around")
    with message(headers_of(None) | {"baggage": header}, destination="orders"):
        assert current() is None
    assert tenant_of(pipeline.span("process orders")) is None
    assert f"{pipeline.span('process orders').context.trace_id:032x}" == TRACE
    assert [notice.key for notice in notices.notices()] == [f"tenant:{reason}"]
