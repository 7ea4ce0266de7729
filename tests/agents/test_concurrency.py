"""Handles in other threads and tasks: a step's parent is the run that it was made of, and its tenant never another's."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import Context, attach, detach

import tracium
from tracium.agents import current_trace
from tracium.agents import tracer as tracer_module
from tracium.testing import MemoryPipeline


def test_a_thread_that_knows_nothing_of_the_run(pipeline):
    """Its steps are under it all the same, and what they contain is under them."""
    with tracium.start_trace("agent") as run:

        def work():
            assert current_trace() is None
            with run.span("tool", "outer") as outer, run.span("tool", "inner") as inner:
                assert current_trace() is run
                assert inner.parent_span_id == outer.id
                assert outer.trace_id == run.id
            assert current_trace() is None

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    outer, agent = pipeline.spans[1:]
    assert outer.parent.span_id == agent.context.span_id


def test_a_thread_gives_no_tenant_that_nobody_set_there(pipeline):
    """The work may be another tenant's than the one that held where the run began."""
    with tracium.tenant("acme"), tracium.start_trace("agent") as run, tracium.tenant("globex"):
        thread = threading.Thread(target=lambda: run.record_span("tool", "x"))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(tracium.carry(lambda: run.record_span("tool", "y"))).result()
    assert pipeline.tenants() == {"execute_tool x": None, "execute_tool y": "globex", "invoke_agent agent": "acme"}


async def test_tasks_have_their_own_steps(pipeline):
    """Steps of tasks that run at once are beside each other, also after their run has ended."""
    ended = asyncio.Event()

    async def work(number):
        async with run.span("tool", str(number)) as step:
            await asyncio.sleep(0)
            with run.span("plan", str(number)) as plan:
                assert plan.parent_span_id == step.id

    async def late():
        await ended.wait()
        run.record_span("action", "late")

    async with tracium.start_trace("agent") as run:
        await asyncio.gather(*map(work, range(5)))
        task = asyncio.create_task(late())
    ended.set()
    await task
    agent = pipeline.span("invoke_agent agent")
    beside = [span for span in pipeline.spans if span.name.startswith(("execute_tool", "action"))]
    assert len(beside) == 6
    assert {span.parent.span_id for span in beside} == {agent.context.span_id}


@given(
    st.lists(
        st.tuples(st.sampled_from(["acme", "globex", "initech"]), st.lists(st.integers(0, 3), max_size=4)),
        min_size=2,
        max_size=4,
    )
)
def test_any_interleaving_of_tasks_keeps_tenants_and_runs_apart(work):
    """Each task's spans carry its tenant and are in its trace, whatever the others do meanwhile."""
    pipeline = MemoryPipeline()
    before, tracer_module.get_tracer_provider = tracer_module.get_tracer_provider, lambda: pipeline.provider
    traces = {}

    @tracium.agent_span("tool", "streamed")
    async def streamed(turns):
        for _ in range(turns):
            await asyncio.sleep(0)
            yield turns

    async def one(number, tenant, steps):
        with tracium.tenant(tenant):
            async with tracium.start_trace(f"agent-{number}", trace_id=f"{number + 1:032x}") as run:
                traces[run.id] = tenant
                for turns in steps:
                    with run.span("plan"):
                        async for _ in streamed(turns):
                            run.set_token_usage(input=turns)

    async def all_of_them():
        await asyncio.gather(*(one(number, *each) for number, each in enumerate(work)))

    token = attach(Context())
    try:
        asyncio.run(all_of_them())
    finally:
        detach(token)
        tracer_module.get_tracer_provider = before
    assert len(traces) == len(work)
    for span in pipeline.spans:
        assert span.attributes["tenant.id"] == traces[f"{span.context.trace_id:032x}"], span.name
