"""OpenAI's agents: their calls are OpenAI's client's, their spans need no exporter of their own."""

from __future__ import annotations

from typing import ClassVar

import pytest
from genai.harness import ran as running
from genai.rules import Accounting
from support.models.openai import INPUT, OUTPUT, openai_server

TWO = (2, INPUT, OUTPUT)


@pytest.fixture(scope="module")
def ran():
    with running("agents", VENDOR=openai_server) as what:
        yield what


class TestOpenAIAgents(Accounting):
    library = "OpenAI Agents"
    calls: ClassVar = dict.fromkeys(("agent", "agent-chat", "agent-sync", "agent-stream", "retried"), TWO)
    streams: ClassVar = ("agent-stream",)
    # The library asks for no usage where it streams chat completions: two calls.
    unknown: ClassVar = ("agent-chat-stream", "agent-chat-stream")
    failed: ClassVar = ("raised", "broken-out")
    metered: ClassVar = calls


def test_an_agent_holds_its_calls_and_tools(ran):
    """They are its children, and it has no usage of its own that would be summed again."""
    (agent,) = [span for span in ran.trace("agent") if span.name == "invoke_agent helper"]
    inside = [span for span in ran.trace("agent") if span.parent_id == agent.span_id]
    assert sorted(span.attributes["gen_ai.operation.name"] for span in inside) == ["chat", "chat", "execute_tool"]
    assert not [key for key in agent.attributes if key.startswith("gen_ai.usage.")]


def test_the_librarys_own_exporter_is_not_needed(ran):
    """It has no key here, says so, and every span is there."""
    assert "skipping trace export" in ran.log
    assert {span.name for span in ran.trace("agent")} >= {"invoke_workflow Agent workflow", "execute_tool weather"}
