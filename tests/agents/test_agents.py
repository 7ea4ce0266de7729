"""An agent's run as spans of the GenAI conventions."""

from __future__ import annotations

import contextvars

import pytest
from opentelemetry.trace import StatusCode

import tracium
from tracium.agents import span as module


@pytest.fixture(autouse=True)
def _tracer(pipeline, monkeypatch):
    monkeypatch.setattr(module, "get_tracer", lambda _name: pipeline.tracer)


async def test_a_run_is_one_trace(pipeline):
    """Sync and async; steps of every kind below it, each with the tenant."""
    tracium.set_tenant("acme")
    with tracium.start_trace(agent_name="my-agent", version="2") as run:
        async with run.span("llm", "gpt-4o"):
            pass
        with run.span("tool", "search"), run.span("plan"):
            pass
        with run.span("retrieval", "docs"):
            pass
    spans = {span.name: span for span in pipeline.spans}
    assert set(spans) == {"invoke_agent my-agent", "chat gpt-4o", "execute_tool search", "plan", "retrieval docs"}
    agent = spans["invoke_agent my-agent"].attributes
    assert agent["gen_ai.operation.name"] == "invoke_agent"
    assert (agent["gen_ai.agent.name"], agent["gen_ai.agent.version"]) == ("my-agent", "2")
    assert spans["execute_tool search"].attributes["gen_ai.tool.name"] == "search"
    assert {span.attributes["tenant.id"] for span in spans.values()} == {"acme"}
    assert {f"{span.context.trace_id:032x}" for span in spans.values()} == {run.id}


def test_the_apps_exception_is_recorded_and_unchanged(pipeline):
    """It is never swallowed or altered."""
    error = KeyError("mine")
    with pytest.raises(KeyError) as raised, tracium.start_trace("agent"):
        raise error
    assert raised.value is error
    span = pipeline.span("invoke_agent agent")
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "KeyError"


async def test_decorators(pipeline):
    """Functions and coroutines, run exactly once."""
    calls = []

    @tracium.agent_trace("agent")
    async def run(question):
        """Run."""
        return step(question)

    @tracium.agent_span("tool")
    def step(question):
        calls.append(question)
        return question.upper()

    assert await run("why") == "WHY"
    assert (calls, run.__doc__) == (["why"], "Run.")
    assert [span.name for span in pipeline.spans] == ["execute_tool step", "invoke_agent agent"]


def test_a_generator_is_refused():
    """Its body runs after the decorator would have ended the span."""
    with pytest.raises(TypeError, match="start_trace"):

        @tracium.agent_trace("agent")
        def generate():
            yield 1


def test_steps_stay_under_their_run_where_a_framework_copies_the_context(pipeline, caplog):
    """A streamed body's generator may run each step in a copy of the context from before; nothing is logged then."""

    def body():
        with tracium.start_trace("writer") as run:
            for word in ("one", "two"):
                with run.span("tool", word), run.span("tool", f"within {word}"):
                    pass
                yield word

    steps = body()
    for _ in range(3):
        contextvars.copy_context().run(next, steps, None)
    spans = {span.name: span for span in pipeline.spans}
    agent = spans["invoke_agent writer"]
    parents = {name: span.parent.span_id for name, span in spans.items() if span.parent is not None}
    for word in ("one", "two"):
        assert parents[f"execute_tool {word}"] == agent.context.span_id
        assert parents[f"execute_tool within {word}"] == spans[f"execute_tool {word}"].context.span_id
    assert caplog.records == []
