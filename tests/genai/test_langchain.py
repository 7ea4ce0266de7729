"""LangChain and LangGraph: one call is one call, although OpenAI's client is instrumented too."""

from __future__ import annotations

from typing import ClassVar

import pytest
from genai.harness import ran as running
from genai.rules import Accounting
from support.models.openai import EMBEDDED, INPUT, OUTPUT, openai_server

ONE, TWO = (1, INPUT, OUTPUT), (2, INPUT, OUTPUT)
STREAMS = ("stream", "responses-stream", "async-stream", "agent-stream")
ABANDONED = ("abandoned", "broken-out", "unclosed")
# What the app's own model says of itself; no vendor bills it.
OWN = (1, 21, 22)


@pytest.fixture(scope="module")
def ran():
    with running("langchain", VENDOR=openai_server) as what:
        yield what


class TestLangChain(Accounting):
    library = "LangChain, LangGraph"
    calls: ClassVar = {
        **dict.fromkeys(("plain", "responses", "async", "retried", "stream", "responses-stream", "async-stream"), ONE),
        **dict.fromkeys(("batch", "agent", "agent-stream", "agent-async"), TWO),
        "embeddings": (1, EMBEDDED, 0),
    }
    streams: ClassVar = STREAMS
    unknown: ClassVar = ("stream-without-usage", *ABANDONED)
    failed: ClassVar = ("raised",)
    metered: ClassVar = {**calls, **dict.fromkeys(("own", "own-stream"), OWN)}


@pytest.mark.parametrize("call", ["own", "own-stream"])
def test_a_model_of_ones_own_is_counted_too(ran, call):
    """By LangChain's span, as nothing else makes one."""
    assert ran.usage(call) == OWN[1:]
    assert ran.model_span(call).tenant == f"customer-{call}"


def test_a_model_without_a_name_has_no_span(ran):
    """LangChain's instrumentation leaves it out: a hole that the documentation names."""
    assert ran.described("nameless") == []


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
