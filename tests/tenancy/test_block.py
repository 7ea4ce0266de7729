"""Blocks that end late, early or in another order than they began."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref

import pytest
from opentelemetry import trace
from opentelemetry.context import attach, get_current
from opentelemetry.trace import SpanKind

import tracium

current = tracium.get_current_tenant


def stream(tenant="generator"):
    with tracium.tenant(tenant):
        yield 1
        yield 2


def test_a_late_end_leaves_the_callers_span_current_and_no_tenant_behind(pipeline):
    """The first chunk is peeked at, a span is opened, the rest is read."""
    chunks = stream()
    next(chunks)
    with pipeline.tracer.start_as_current_span("rest") as span:
        list(chunks)
        assert trace.get_current_span() is span
        assert current() is None
        pipeline.tracer.start_span("inside").end()
    assert current() is None
    pipeline.tracer.start_span("after").end()
    assert pipeline.tenants() == {"inside": None, "rest": "generator", "after": None}
    assert pipeline.span("inside").parent.span_id == span.context.span_id


def test_a_late_end_changes_nothing_in_the_callers_own_block():
    """The caller's block holds to its end, and what was before it holds afterwards."""
    tracium.set_tenant("base")
    chunks = stream()
    next(chunks)
    with tracium.tenant("caller"):
        chunks.close()
        assert current() == "caller"
    assert current() == "base"


def test_blocks_of_two_generators_may_end_in_the_order_in_which_they_began():
    """Neither outlives its generator."""
    tracium.set_tenant("base")
    first, second = stream("first"), stream("second")
    next(first)
    next(second)
    first.close()
    assert current() == "second"
    second.close()
    assert current() == "base"


def test_a_callers_block_that_ends_before_the_generators_restores():
    """A generator that is still suspended does not keep its tenant in the caller."""
    tracium.set_tenant("base")
    with tracium.tenant("caller"):
        chunks = stream()
        next(chunks)
    assert current() == "base"
    chunks.close()
    assert current() == "base"


async def test_a_task_that_a_late_ended_block_started_keeps_its_tenant(pipeline):
    """Only the caller is done with the block."""
    seen = []

    async def work():
        await asyncio.sleep(0.001)
        seen.append(current())
        pipeline.tracer.start_span("work").end()

    async def chunks():
        async with tracium.tenant("generator"):
            yield asyncio.create_task(work())

    generator = chunks()
    task = await anext(generator)
    with pipeline.tracer.start_as_current_span("rest"):
        await generator.aclose()
        assert current() is None
    await task
    assert (seen, current()) == (["generator"], None)
    assert pipeline.tenants() == {"rest": "generator", "work": "generator"}


def test_a_context_that_is_passed_keeps_the_tenant_of_a_late_ended_block(pipeline):
    """A span started with context=A belongs to A, whatever became of the block."""

    def chunks():
        with tracium.tenant("generator"):
            yield get_current()

    generator = chunks()
    context = next(generator)
    with pipeline.tracer.start_as_current_span("rest"):
        generator.close()
        pipeline.tracer.start_span("passed", context=context).end()
    assert pipeline.tenants()["passed"] == "generator"


def test_what_is_set_after_a_late_end_holds(pipeline):
    """The set tenant is the caller's own; the block has no part in it."""
    chunks = stream()
    next(chunks)
    with pipeline.tracer.start_as_current_span("rest"):
        chunks.close()
        tracium.set_tenant("caller")
        assert current() == "caller"
        pipeline.tracer.start_span("inside").end()
    assert current() is None
    assert pipeline.tenants()["inside"] == "caller"


def test_a_block_of_a_context_manager_or_an_exit_stack_restores():
    """Both are made of generators or leave in one go."""

    @contextlib.contextmanager
    def customer(name):
        with tracium.tenant(name):
            yield

    tracium.set_tenant("base")
    with customer("a"), customer("b"), contextlib.ExitStack() as stack:
        assert current() == "b"
        stack.enter_context(tracium.tenant("c"))
        stack.enter_context(tracium.tenant("d"))
        assert current() == "d"
    assert current() == "base"


def test_a_worker_that_was_born_in_a_request_works_for_others(pipeline):
    """Its context is that of a request that is over; a block in it counts, what was left there does not."""
    with pipeline.tracer.start_as_current_span("birth", kind=SpanKind.SERVER):
        tracium.set_tenant("first customer")
        attach(get_current())
        born = get_current()
    attach(born)
    with pipeline.tracer.start_as_current_span("unknown job", kind=SpanKind.CONSUMER):
        assert current() is None
    with tracium.tenant("second"), pipeline.tracer.start_as_current_span("job", kind=SpanKind.CONSUMER):
        assert current() == "second"
        pipeline.tracer.start_span("work").end()
    with tracium.tenant(None), pipeline.tracer.start_as_current_span("nobody's", kind=SpanKind.CONSUMER):
        assert current() is None
    assert pipeline.tenants() == {
        "birth": "first customer",
        "unknown job": None,
        "work": "second",
        "job": "second",
        "nobody's": None,
    }


@pytest.mark.parametrize("decorated", [False, True])
async def test_tasks_that_start_one_another_for_ever_keep_nothing_alive(pipeline, decorated):
    """Each begins inside the block of the one before, whose span has long ended."""
    spans, done = [], asyncio.Event()

    async def body(left):
        with pipeline.tracer.start_as_current_span("job") as span:
            spans.append(weakref.ref(span))
            if left:
                tasks.add(asyncio.create_task(job(left - 1)))
            else:
                done.set()
            await asyncio.sleep(0)

    async def in_block(left):
        with tracium.tenant("acme"):
            await body(left)

    async def in_generator(left):
        @tracium.tenant("acme")
        async def steps():
            yield await body(left)

        async for _ in steps():
            pass

    job = in_generator if decorated else in_block
    tasks = {asyncio.create_task(job(300))}
    await done.wait()
    # The last one is kept, with all that its context keeps alive.
    tasks = {task for task in tasks if not task.done()}
    pipeline.clear()
    gc.collect()
    assert sum(ref() is not None for ref in spans) <= 4
    await asyncio.gather(*tasks)
