"""`tracium.tenant` as a block and as a decorator."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import attach, detach, get_current, set_value

import tracium

current = tracium.get_current_tenant


async def test_blocks_nest_and_restore():
    """With and async with; what held before holds again, also after an exception."""
    tracium.set_tenant("outer")
    with tracium.tenant("a"):
        async with tracium.tenant("b"):
            assert current() == "b"
            tracium.set_tenant("c")
            assert current() == "c"
        assert current() == "a"
        with contextlib.suppress(KeyError), tracium.tenant(None):
            assert current() is None
            raise KeyError
        assert current() == "a"
    assert current() == "outer"


def test_one_scope_object_can_be_entered_again_and_in_many_threads():
    """It holds nothing but the tenant."""
    scope, failures = tracium.tenant("acme"), []
    with scope, scope:
        assert current() == "acme"
    assert current() is None

    def work():
        for _ in range(200):
            with scope, tracium.tenant("inner"), scope:
                if current() != "acme":
                    failures.append(current())
            if current() is not None:
                failures.append(current())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


async def test_decorated_functions_and_coroutines():
    """They stay what they are, with their name, arguments, result and exceptions."""

    @tracium.tenant("acme")
    def add(a, b=1):
        """Add."""
        return current(), a + b

    @tracium.tenant("acme")
    async def fetch(a):
        await asyncio.sleep(0)
        return current(), a

    assert (add(1, b=2), add.__doc__, add.__name__) == (("acme", 3), "Add.", "add")
    assert inspect.iscoroutinefunction(fetch)
    assert await fetch(1) == ("acme", 1)
    assert current() is None


def test_a_decorated_generator_has_the_tenant_only_while_it_runs():
    """Its caller never has it; send, throw, close and the return value work as before."""
    seen = []

    @tracium.tenant("acme")
    def generate(first):
        seen.append(current())
        sent = yield first
        seen.append(current())
        try:
            yield sent
        except KeyError:
            seen.append(current())
        try:
            yield "third"
        finally:
            seen.append(current())
        return "result"

    assert inspect.isgeneratorfunction(generate)
    tracium.set_tenant("caller")
    generator = generate("first")
    assert next(generator) == "first"
    assert current() == "caller"
    assert generator.send("second") == "second"
    assert generator.throw(KeyError()) == "third"
    assert current() == "caller"
    with pytest.raises(StopIteration) as stopped:
        next(generator)
    assert stopped.value.value == "result"
    closed = generate("x")
    next(closed)
    closed.close()
    assert seen == ["acme"] * 5
    assert current() == "caller"


def test_an_exception_of_a_decorated_generator_is_unchanged():
    """As is a generator that ignores its end."""

    @tracium.tenant("acme")
    def failing():
        yield 1
        raise LookupError("mine")

    generator = failing()
    next(generator)
    with pytest.raises(LookupError, match="mine"):
        next(generator)
    assert current() is None


def test_what_a_decorated_generator_sets_stays_in_it():
    """Its context is kept from step to step and never shows outside."""

    @tracium.tenant("acme")
    def generate():
        with trace.use_span(trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False))):
            tracium.set_tenant("inner")
            yield trace.get_current_span().get_span_context().span_id
            yield current()
        yield current()

    generator = generate()
    assert next(generator) == 2
    assert current() is None
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert list(generator) == ["inner", "acme"]


async def test_a_decorated_async_generator_has_the_tenant_only_while_it_runs():
    """asend, athrow, aclose; and its steps may wait."""
    seen = []

    @tracium.tenant("acme")
    async def generate():
        try:
            await asyncio.sleep(0)
            sent = yield current()
            try:
                yield sent
            except KeyError:
                await asyncio.sleep(0)
                yield current()
        finally:
            await asyncio.sleep(0)
            seen.append(current())

    assert inspect.isasyncgenfunction(generate)
    generator = generate()
    assert await anext(generator) == "acme"
    assert current() is None
    assert await generator.asend("sent") == "sent"
    assert await generator.athrow(KeyError()) == "acme"
    await generator.aclose()
    assert seen == ["acme"]
    assert [value async for value in generate()] == ["acme", None]
    assert current() is None


async def test_an_abandoned_async_generator_is_closed_without_a_word(caplog):
    """The event loop closes it from another task's context."""

    @tracium.tenant("acme")
    async def generate():
        while True:
            yield current()

    async def abandon():
        async for value in generate():
            assert value == "acme"
            return

    with caplog.at_level(logging.WARNING):
        await asyncio.create_task(abandon())
        gc.collect()
        await asyncio.sleep(0.01)
    assert caplog.records == []
    assert current() is None


def plain():
    with tracium.tenant("generator"):
        yield current()
        yield current()


def test_a_plain_with_around_a_yield_does_not_outlive_the_generator(caplog):
    """Python lets it show in the caller; it never errs, and a late end restores nothing."""
    with tracium.tenant("caller"):
        generator = plain()
        assert next(generator) == "generator"
    assert current() is None
    tracium.set_tenant("next")
    generator.close()
    assert current() == "next"
    assert list(plain()) == ["generator", "generator"]
    assert current() == "next"
    assert caplog.records == []


async def test_a_plain_with_that_is_closed_in_another_task_is_no_error(caplog):
    """No log line about a token that was created in a different context."""
    generator = plain()

    async def begin():
        next(generator)

    async def end():
        generator.close()

    with caplog.at_level(logging.DEBUG):
        await asyncio.create_task(begin())
        await asyncio.create_task(end())
    assert not [record for record in caplog.records if "Context" in record.getMessage()]
    assert current() is None


STEPS = st.lists(st.tuples(st.sampled_from(["open", "close", "step", "set", "clear"]), st.integers(0, 4)), max_size=40)


@given(STEPS)
def test_no_order_of_blocks_and_generators_leaves_a_tenant_behind(steps):
    """Decorated generators and blocks, opened and closed in any order: the caller's tenant is its own."""
    token = attach(set_value("test", object()))
    try:
        scopes, generators, expected = [], {}, [None]

        @tracium.tenant("generator")
        def generate():
            while True:
                assert current() == "generator"
                yield

        for action, number in steps:
            tenant = f"t{number}"
            if action == "open":
                scope = tracium.tenant(tenant)
                scope.__enter__()
                scopes.append(scope)
                expected.append(tenant)
            elif action == "close" and scopes:
                scopes.pop().__exit__(None, None, None)
                expected.pop()
            elif action == "step":
                next(generators.setdefault(number, generate()))
            elif action == "set":
                tracium.set_tenant(tenant)
                expected[-1] = tenant
            elif action == "clear":
                generators.pop(number, None)
            assert current() == expected[-1]
        while scopes:
            scopes.pop().__exit__(None, None, None)
            expected.pop()
        assert current() == expected[-1]
    finally:
        detach(token)
    assert get_current().get("test") is None
