"""Anthropic's client, which makes its spans itself: messages, the stream helper, and how streams end."""

from __future__ import annotations

from typing import ClassVar

import pytest
from genai.harness import ran as running
from genai.rules import Accounting
from support.models.anthropic import INPUT, OUTPUT, READ, WRITTEN, anthropic_server

ONE = (1, INPUT, OUTPUT)
STREAMS = ("stream", "helper", "helper-text", "tools-stream", "async-stream", "async-helper", "retried-stream")
WHOLE = ("plain", "raw", "tools", "async", "retried")
# The input is told when a stream begins, the output when it ends.
HALF = ("cut", "abandoned", "broken-out", "helper-broken-out", "closed-elsewhere", "closed-in-another-task")
# The client writes what it knows onto the span when the stream ends: in time for none of these.
OPEN = ("unclosed", "unread")


@pytest.fixture(scope="module")
def ran():
    with running("anthropic", VENDOR=anthropic_server) as what:
        yield what


class TestAnthropic(Accounting):
    library = "Anthropic"
    calls: ClassVar = dict.fromkeys((*WHOLE, *STREAMS), ONE)
    streams: ClassVar = STREAMS
    unknown: ClassVar = (*HALF, *OPEN)
    failed: ClassVar = ("raised",)


def test_what_the_cache_holds_is_a_part_of_the_input(ran):
    """The vendor counts it beside; its spans count it in, as the conventions want."""
    attributes = ran.model_span("plain").attributes
    assert attributes["gen_ai.usage.cache_read.input_tokens"] == READ
    assert attributes["gen_ai.usage.cache_write.input_tokens"] == WRITTEN


@pytest.mark.parametrize("call", HALF)
def test_a_stream_that_breaks_off_keeps_what_it_told(ran, call):
    """The input: it was billed."""
    assert ran.usage(call) == (INPUT, 0)


@pytest.mark.parametrize("call", OPEN)
def test_a_stream_that_is_open_at_the_end_of_the_process_ends_there(ran, call):
    """Read or not."""
    assert ran.model_span(call).attributes["tracium.abandoned"] is True


def test_a_retried_call_is_one_call(ran):
    """The attempts are spans of the transport."""
    assert len(ran.described("retried")) == 1
    assert len([span for span in ran.trace("retried") if span.scope.endswith(".httpx")]) == 2
