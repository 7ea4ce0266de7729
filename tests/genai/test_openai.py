"""OpenAI's client: chat, Responses, embeddings, streams and how they end."""

from __future__ import annotations

from typing import ClassVar

import pytest
from genai.harness import ran as running
from genai.rules import Accounting
from support.models.openai import EMBEDDED, INPUT, OUTPUT, openai_server

ONE = (1, INPUT, OUTPUT)
STREAMS = ("stream", "helper", "tools-stream", "responses-stream", "responses-helper", "async-stream", "retried-stream")
WHOLE = ("plain", "raw", "tools", "responses", "async", "retried")
ABANDONED = ("abandoned", "broken-out", "unclosed", "unread", "responses-abandoned", "responses-unclosed")
CLOSED = ("closed-elsewhere", "closed-in-another-task")


@pytest.fixture(scope="module")
def ran():
    with running("openai", VENDOR=openai_server) as what:
        yield what


class TestOpenAI(Accounting):
    library = "OpenAI"
    calls: ClassVar = {**dict.fromkeys((*WHOLE, *STREAMS), ONE), "embeddings": (1, EMBEDDED, 0)}
    streams: ClassVar = STREAMS
    unknown: ClassVar = ("stream-without-usage", "cut", "cancelled", *ABANDONED, *CLOSED)
    failed: ClassVar = ("raised",)
    metered: ClassVar = calls


@pytest.mark.parametrize("call", ABANDONED)
def test_a_stream_that_nobody_ends_ends_with_what_was_known(ran, call):
    """Thrown away, left in the middle, or open when the process ends: read or not."""
    span = ran.model_span(call)
    assert span.attributes["tracium.abandoned"] is True
    assert span.attributes["gen_ai.operation.name"] == "chat"
    assert span.attributes["gen_ai.request.model"]


@pytest.mark.parametrize("call", [*CLOSED, "cancelled", "raised", "stream-without-usage", "cut", "stream"])
def test_a_stream_that_was_ended_is_not_abandoned(ran, call):
    """By its end, in another thread or task, by an error or by a cancellation."""
    assert "tracium.abandoned" not in ran.model_span(call).attributes


def test_a_retried_call_is_one_call(ran):
    """The attempts are spans of the transport."""
    assert [span.name for span in ran.described("retried")] == ["chat busy-plain"]
    assert len([span for span in ran.trace("retried") if span.scope.endswith(".httpx")]) == 2


def test_a_call_that_fails_used_nothing_that_is_unknown(ran):
    """It has an error instead."""
    span = ran.model_span("raised")
    assert span.attributes["error.type"] == "openai.InternalServerError"
