"""The handles of tracium 1.5.10: each public name works with its old meaning, or an error names the replacement."""

from __future__ import annotations

import copy
import inspect

import pytest

import tracium
from tracium.agents import AgentSpan, AgentTrace
from tracium.exceptions import RemovedError

# What the classes of the release have that is public; `AgentSpanContext` is what a step was before its block.
TRACE = {
    "add_metadata_kv": lambda run: run.add_metadata_kv("k", 1),
    "add_tags": lambda run: run.add_tags(["t"]),
    "agent_name": None,
    "fail": lambda run: run.fail(error="e", metadata={"m": 1}),
    "finish": lambda run: run.finish(summary={"s": 1}, metadata={"m": 1}, tags=["u"]),
    "id": None,
    "mark_failed": lambda run: run.mark_failed("e", metadata={"m": 1}),
    "record_span": lambda run: run.record_span(
        span_type="tool", name="n", input=1, output=2, metadata={}, tags=["t"], status="completed", error=None
    ),
    "set_summary": lambda run: run.set_summary({"s": 1}),
    "span": lambda run: run.span(span_type="llm", name="n", input="i", metadata={"m": 1}, tags=["t"], model_id="m"),
    "start_payload": RemovedError,
    "summary": None,
    "tags": None,
    "tool_execution": lambda run: run.tool_execution("n", tool_call_id="c", input=1),
    "update_metadata": lambda run: run.update_metadata({"m": 1}),
}
STEP = {
    "add_metadata": lambda step: step.add_metadata({"m": 1}),
    "add_tags": lambda step: step.add_tags(["t"]),
    "id": None,
    "mark_failed": lambda step: step.mark_failed("e", metadata={"m": 1}),
    "parent_span_id": None,
    "payload": RemovedError,
    "record_input": lambda step: step.record_input("i"),
    "record_output": lambda step: step.record_output("o"),
    "set_model_id": lambda step: step.set_model_id("m"),
    "set_status": lambda step: step.set_status("completed"),
    "set_token_usage": lambda step: step.set_token_usage(
        input_tokens=1, output_tokens=2, cached_input_tokens=1, cache_creation_input_tokens=1
    ),
    "set_tool_calls": lambda step: step.set_tool_calls([{"id": "c", "function": {"name": "n", "arguments": "{}"}}]),
    "set_tools": lambda step: step.set_tools([{"name": "n"}]),
    "trace_id": None,
}
BEFORE_ITS_BLOCK = {
    "add_tags": lambda step: step.add_tags(["t"]),
    "depth_level": RemovedError,
    "last_payload": RemovedError,
    "name": None,
    "parallel_group_id": RemovedError,
    "parent_span_id": None,
    "sequence_number": RemovedError,
    "set_failure": RemovedError,
    "set_input": RemovedError,
    "set_model_id": lambda step: step.set_model_id("m"),
    "set_output": RemovedError,
    "set_status": lambda step: step.set_status("completed"),
    "set_token_usage": lambda step: step.set_token_usage(input_tokens=1),
    "set_tool_calls": lambda step: step.set_tool_calls([]),
    "set_tools": lambda step: step.set_tools([]),
    "span_id": RemovedError,
    "span_type": None,
    "state": RemovedError,
    "update_metadata": lambda step: step.update_metadata({"m": 1}),
}


def walk(handle, name, use):
    if use is RemovedError:
        with pytest.raises(RemovedError, match=rf"{name} is gone\. \w+"):
            getattr(handle, name)
        assert not hasattr(handle, name)
    elif use is None:
        getattr(handle, name)
    else:
        use(handle)


@pytest.mark.parametrize("name", TRACE)
def test_each_name_of_a_run(pipeline, name):
    """AgentTraceHandle."""
    with tracium.start_trace(agent_name="agent") as run:
        walk(run, name, TRACE[name])


@pytest.mark.parametrize("name", STEP)
def test_each_name_of_a_step(pipeline, name):
    """AgentSpanHandle."""
    with tracium.start_trace(agent_name="agent") as run, run.span(span_type="tool", name="n") as step:
        walk(step, name, STEP[name])


@pytest.mark.parametrize("name", BEFORE_ITS_BLOCK)
def test_each_name_of_a_step_before_its_block(pipeline, name):
    """AgentSpanContext."""
    with tracium.start_trace(agent_name="agent") as run:
        walk(run.span(span_type="tool", name="n"), name, BEFORE_ITS_BLOCK[name])


def test_each_option_of_the_older_start_trace_and_agent_trace(pipeline):
    """All by name, as the release had them."""
    older = ("agent_name", "model_id", "version", "workspace_id", "metadata", "tags", "trace_id")
    assert set(older) <= set(inspect.signature(tracium.start_trace).parameters)
    older = (*(set(older) - {"version"}), "client", "inject_trace_arg", "auto_tag")
    assert set(older) <= set(inspect.signature(tracium.agent_trace).parameters)
    older = ("span_type", "name", "metadata", "tags", "inject_span_arg", "capture_return", "require_trace", "auto_tag")
    assert set(older) <= set(inspect.signature(tracium.agent_span).parameters)


def test_what_nobody_ever_had_is_an_ordinary_attribute_error(pipeline):
    """And handles can be copied as other objects can."""
    with tracium.start_trace("agent") as run:
        with pytest.raises(AttributeError, match="'AgentTrace' has no attribute 'nothing'") as raised:
            run.nothing  # noqa: B018 - it is looked up
        assert not isinstance(raised.value, RemovedError)
        assert copy.copy(run).id == run.id
    assert issubclass(AgentTrace, AgentSpan)
