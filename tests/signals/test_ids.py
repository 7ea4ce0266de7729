"""Ids that the caller chose, for one span, from the SDK's own generator."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import RandomIdGenerator, TracerProvider
from opentelemetry.trace import NoOpTracerProvider, TraceFlags

from tracium.signals import ids

TRACE, SPAN = 0xABC, 0xDEF


@pytest.fixture
def provider():
    provider = TracerProvider(shutdown_on_exit=False)
    assert ids.install(provider)
    return provider


def start(provider):
    return provider.get_tracer("tests").start_span("work", Context()).get_span_context()


def test_the_next_span_has_the_ids_and_no_other(provider):
    """Neither the second one in the block nor any after it."""
    with ids.chosen(TRACE, SPAN, of=provider) as taken:
        first, second = start(provider), start(provider)
    third = start(provider)
    assert taken
    assert (first.trace_id, first.span_id) == (TRACE, SPAN)
    assert len({first.trace_id, second.trace_id, third.trace_id}) == 3
    assert len({first.span_id, second.span_id, third.span_id}) == 3


def test_each_id_can_be_chosen_alone(provider):
    """The other one comes from the generator that was there."""
    with ids.chosen(TRACE, of=provider):
        by_trace = start(provider)
    with ids.chosen(span_id=SPAN, of=provider):
        by_span = start(provider)
    assert by_trace.trace_id == TRACE
    assert by_trace.span_id != SPAN
    assert by_span.span_id == SPAN
    assert by_span.trace_id != TRACE


def test_a_chosen_trace_id_is_not_said_to_be_random(provider):
    """https://www.w3.org/TR/trace-context-2/#random-trace-id-flag: samplers may rely on it."""
    with ids.chosen(TRACE, of=provider):
        assert not start(provider).trace_flags & TraceFlags.RANDOM_TRACE_ID
        assert start(provider).trace_flags & TraceFlags.RANDOM_TRACE_ID
    assert start(provider).trace_flags & TraceFlags.RANDOM_TRACE_ID


def test_a_choice_that_was_not_used_ends_with_its_block(provider):
    """Also for what copied the context inside."""
    with ids.chosen(TRACE, SPAN, of=provider):
        copied = contextvars.copy_context()
    assert copied.run(start, provider).trace_id != TRACE


async def test_tasks_and_threads_keep_their_choices_apart(provider):
    """Each has its own, whoever starts its span first."""

    async def choose(number):
        with ids.chosen(number, of=provider):
            await asyncio.sleep(0)
            return start(provider).trace_id

    assert await asyncio.gather(*map(choose, range(1, 9))) == list(range(1, 9))
    with ids.chosen(TRACE, of=provider):
        found = []
        thread = threading.Thread(target=lambda: found.append(start(provider).trace_id))
        thread.start()
        thread.join()
        assert start(provider).trace_id == TRACE
    assert found != [TRACE]


def test_the_generator_that_was_there_makes_all_others():
    """A user's own, such as that of AWS X-Ray, stays in use."""

    class Counting(RandomIdGenerator):
        made = 0

        def generate_span_id(self):
            self.made += 1
            return self.made

    counting = Counting()
    provider = TracerProvider(id_generator=counting, shutdown_on_exit=False)
    assert ids.install(provider)
    assert ids.install(provider)
    assert provider.id_generator.others is counting
    assert [start(provider).span_id for _ in range(3)] == [1, 2, 3]


def test_a_provider_that_takes_no_ids_is_told_apart():
    """No choice is promised that nobody keeps: not by no SDK, not by a tracer from before, not by a closed provider."""

    class Closed:
        id_generator = property(lambda _self: RandomIdGenerator())

    assert not ids.install(NoOpTracerProvider())
    assert not ids.install(Closed())
    provider = TracerProvider(shutdown_on_exit=False)
    early = provider.get_tracer("early")
    ids.install(provider)
    with ids.chosen(TRACE, of=early) as taken:
        assert not taken
        assert early.start_span("work").get_span_context().trace_id != TRACE


@pytest.mark.parametrize(
    ("chosen", "error", "said"),
    [
        ({"trace_id": 0}, ValueError, "from 1 to 2\\*\\*128"),
        ({"trace_id": 1 << 128}, ValueError, "trace id"),
        ({"span_id": 1 << 64}, ValueError, "from 1 to 2\\*\\*64"),
        ({"span_id": "abc"}, TypeError, "span id must be an integer, not str"),
        ({"trace_id": True}, TypeError, "not bool"),
    ],
)
def test_what_is_no_id_is_refused(chosen, error, said):
    """In a sentence that says what would be one."""
    with pytest.raises(error, match=said), ids.chosen(**chosen):
        pass
