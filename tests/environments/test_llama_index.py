"""LlamaIndex: its calls are OpenAI's client's, its agents are its own."""

from __future__ import annotations

from typing import ClassVar

import pytest
from genai.harness import ran as running
from genai.rules import Accounting
from support.models.openai import INPUT, OUTPUT, openai_server

ONE, TWO = (1, INPUT, OUTPUT), (2, INPUT, OUTPUT)
ABANDONED = ("abandoned", "broken-out", "unclosed")


@pytest.fixture(scope="module")
def ran():
    with running("llama_index", VENDOR=openai_server) as what:
        yield what


class TestLlamaIndex(Accounting):
    library = "LlamaIndex"
    calls: ClassVar = {
        **dict.fromkeys(("plain", "complete", "async", "stream", "async-stream"), ONE),
        "agent": TWO,
    }
    streams: ClassVar = ("stream", "async-stream", "agent")
    unknown: ClassVar = ("stream-without-usage", *ABANDONED)
    metered: ClassVar = calls


def test_an_agent_holds_its_calls_and_tools(ran):
    """They are its children, and it has no usage of its own that would be summed again."""
    (agent,) = [span for span in ran.trace("agent") if span.name == "invoke_agent helper"]
    inside = [span for span in ran.trace("agent") if span.parent_id == agent.span_id]
    assert sorted(span.attributes["gen_ai.operation.name"] for span in inside) == ["chat", "chat", "execute_tool"]
    assert not [key for key in agent.attributes if key.startswith("gen_ai.usage.")]


@pytest.mark.parametrize("call", ABANDONED)
def test_a_stream_that_nobody_ends_ends_with_what_was_known(ran, call):
    """Thrown away, left in the middle, or open when the process ends."""
    assert ran.model_span(call).attributes["tracium.abandoned"] is True
