"""Decorated generators: the span is current while they run, never in their caller, and ends when they do."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import StatusCode, get_current_span

import tracium
from tracium.agents import current_trace


def nothing_is_current():
    return not get_current_span().get_span_context().is_valid and current_trace() is None


def talk(log):
    """A generator that answers to everything."""
    received = None
    try:
        for number in range(3):
            log.append(current_trace() is not None)
            try:
                received = yield (number, received)
            except LookupError as error:
                received = repr(error)
        return received
    finally:
        log.append("closed")


async def talk_async(log):
    """The same, async."""
    received = None
    try:
        for number in range(3):
            await asyncio.sleep(0)
            log.append(current_trace() is not None)
            try:
                received = yield (number, received)
            except LookupError as error:
                received = repr(error)
    finally:
        await asyncio.sleep(0)
        log.append("closed")


def test_a_generator_is_one_run(pipeline):
    """From its first step to its end; what it returns is its own."""
    decorated = tracium.agent_trace("writer")(talk)
    assert inspect.isgeneratorfunction(decorated)
    log = []
    steps = decorated(log)
    assert pipeline.spans == ()
    assert next(steps) == (0, None)
    assert nothing_is_current()
    assert steps.send("a") == (1, "a")
    assert steps.throw(KeyError("b")) == (2, "KeyError('b')")
    assert pipeline.spans == ()
    with pytest.raises(StopIteration) as stopped:
        steps.send("c")
    assert stopped.value.value == "c"
    assert log == [True, True, True, "closed"]
    assert [span.name for span in pipeline.spans] == ["invoke_agent writer"]
    assert nothing_is_current()


async def test_an_async_generator_is_one_run(pipeline):
    """As above."""
    decorated = tracium.agent_trace("writer")(talk_async)
    assert inspect.isasyncgenfunction(decorated)
    log = []
    steps = decorated(log)
    assert await anext(steps) == (0, None)
    assert nothing_is_current()
    assert await steps.asend("a") == (1, "a")
    assert await steps.athrow(KeyError("b")) == (2, "KeyError('b')")
    with pytest.raises(StopAsyncIteration):
        await steps.asend("c")
    assert log == [True, True, True, "closed"]
    assert [span.name for span in pipeline.spans] == ["invoke_agent writer"]


OPERATIONS = st.lists(st.sampled_from(["next", "send", "lookup", "value", "close"]), max_size=6)


def drive(steps, operations):
    """What a caller sees of a generator."""
    seen = []
    for operation in operations:
        try:
            if operation == "next":
                seen.append(next(steps))
            elif operation == "send":
                seen.append(steps.send(None if not seen else "sent"))
            elif operation == "lookup":
                seen.append(steps.throw(LookupError("thrown")))
            elif operation == "value":
                seen.append(steps.throw(ValueError("thrown")))
            else:
                seen.append(steps.close())
        except (Exception, GeneratorExit) as error:
            seen.append(repr(error))
    return seen


async def drive_async(steps, operations):
    seen = []
    for operation in operations:
        try:
            if operation == "next":
                seen.append(await anext(steps))
            elif operation == "send":
                seen.append(await steps.asend(None if not seen else "sent"))
            elif operation == "lookup":
                seen.append(await steps.athrow(LookupError("thrown")))
            elif operation == "value":
                seen.append(await steps.athrow(ValueError("thrown")))
            else:
                seen.append(await steps.aclose())
        except (Exception, GeneratorExit) as error:
            seen.append(repr(error))
    return seen


@given(OPERATIONS)
def test_a_caller_sees_no_difference(operations):
    """Whatever it does with the generator, in whatever order."""
    decorated = tracium.agent_trace("writer")(talk)
    assert drive(decorated([]), operations) == drive(talk([]), operations)


@given(OPERATIONS)
def test_a_caller_sees_no_difference_async(operations):
    """Nor of an async one."""
    decorated = tracium.agent_span("plan")(talk_async)

    async def both():
        return await drive_async(decorated([]), operations), await drive_async(talk_async([]), operations)

    with_span, without = asyncio.run(both())
    assert with_span == without


def test_a_generator_that_is_left_ends_its_span(pipeline):
    """Closed early or garbage-collected; one that was never started has none."""
    log = []
    decorated = tracium.agent_span("plan")(talk)
    steps = decorated(log)
    next(steps)
    steps.close()
    assert [span.name for span in pipeline.spans] == ["plan talk"]
    steps = decorated(log)
    next(steps)
    del steps
    gc.collect()
    assert len(pipeline.spans) == 2
    decorated(log).close()
    del decorated
    gc.collect()
    assert len(pipeline.spans) == 2
    assert log == [False, "closed", False, "closed"]
    assert {span.status.status_code for span in pipeline.spans} == {StatusCode.UNSET}


async def test_an_async_generator_that_is_left_ends_its_span(pipeline):
    """Closed early or garbage-collected; one that was never started has none."""
    log = []
    decorated = tracium.agent_span("plan")(talk_async)
    steps = decorated(log)
    await anext(steps)
    await steps.aclose()
    assert [span.name for span in pipeline.spans] == ["plan talk_async"]
    steps = decorated(log)
    await anext(steps)
    del steps
    gc.collect()
    # Python closes it in a task of its own, which the loop makes next.
    await asyncio.sleep(0)
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
    await decorated(log).aclose()
    assert len(pipeline.spans) == 2
    assert log == [False, "closed", False, "closed"]


def held_by_itself(steps):
    """Only the garbage collector finds it, and all of what it is made of at once."""

    class Holder:
        pass

    holder = Holder()
    holder.itself, holder.steps = holder, steps
    return steps


@pytest.mark.parametrize("decorate", [tracium.agent_trace("writer"), tracium.agent_span("plan"), tracium.carry])
@pytest.mark.parametrize("left", ["at the end of the loop", "as garbage", "by a break"])
def test_an_event_loop_closes_an_async_generator_that_is_left_once(decorate, left):
    """With what its `finally` awaits; the loop has nothing to complain of."""
    log, complaints, kept = [], [], []
    decorated = decorate(talk_async)

    async def leave():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        if left == "by a break":
            kept.append(decorated(log))
            async for _ in kept[0]:
                break
            return
        steps = decorated(log) if left == "at the end of the loop" else held_by_itself(decorated(log))
        await anext(steps)
        if left == "at the end of the loop":
            kept.append(steps)
            return
        del steps
        gc.collect()
        # Python closes it in a task of its own, which the loop makes next.
        await asyncio.sleep(0)
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    asyncio.run(leave())
    assert complaints == []
    assert log[1:] == ["closed"]


def fails_after_a_throw():
    with contextlib.suppress(LookupError):
        yield 1
    raise ValueError


async def fails_after_a_throw_async():
    with contextlib.suppress(LookupError):
        yield 1
    raise ValueError


async def test_an_exception_after_a_throw_has_no_context_of_ours():
    """What was thrown is over by then, as without the decorator."""
    steps = tracium.agent_trace("writer")(fails_after_a_throw)()
    next(steps)
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - it says nothing
        steps.throw(LookupError())
    assert raised.value.__context__ is None
    steps = tracium.agent_trace("writer")(fails_after_a_throw_async)()
    await anext(steps)
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - it says nothing
        await steps.athrow(LookupError())
    assert raised.value.__context__ is None


def test_what_a_generator_raises_is_recorded_and_its_own(pipeline):
    """Its caller sees the same exception."""
    error = KeyError("mine")

    @tracium.agent_trace("writer", inject_trace_arg="run")
    def fails(run):
        run.add_tags(["begun"])
        yield 1
        raise error

    with pytest.raises(KeyError) as raised:
        list(fails())
    assert raised.value is error
    span = pipeline.span("invoke_agent writer")
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["tracium.tags"] == ("@trace:fails", "begun")


async def test_a_tenant_that_a_generator_sets_stays_inside(pipeline):
    """And its caller's own changes nothing inside once it runs."""

    @tracium.agent_trace("writer")
    async def writes():
        tracium.set_tenant("acme")
        yield 1
        with pipeline.tracer.start_as_current_span("second"):
            yield tracium.get_current_tenant()

    with tracium.tenant("globex"):
        steps = writes()
        await anext(steps)
        assert tracium.get_current_tenant() == "globex"
        assert await anext(steps) == "acme"
        await steps.aclose()
    assert pipeline.tenants() == {"second": "acme", "invoke_agent writer": "globex"}


def test_what_an_async_generator_returns_cannot_be_captured():
    """It returns nothing."""
    with pytest.raises(TypeError, match="capture_return cannot be used with talk_async"):
        tracium.agent_trace("writer", capture_return=True)(talk_async)
