"""An agent's run as spans of the GenAI conventions."""

from __future__ import annotations

import contextvars
import gc
import json
import uuid
import weakref
from contextlib import suppress

import pytest
from opentelemetry.trace import NoOpTracerProvider, StatusCode, get_current_span

import tracium
from tracium import faults, notices
from tracium.agents import tracer as tracer_module
from tracium.defaults import AgentDefaults, install_defaults
from tracium.exceptions import AgentError


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


def test_what_a_run_is_told_is_on_its_span(pipeline):
    """Every argument has its attribute."""
    with tracium.start_trace(
        "support",
        model_id="gpt-4o",
        version="2.1",
        tags=["beta", "beta", " eu "],
        metadata={"team": "search", "tries": 3, "ratio": 0.5, "live": True, "plan": {"a": [1, None]}, "big": 1 << 70},
        workspace_id="w-1",
    ) as run:
        assert (run.agent_name, run.model_id, run.tags) == ("support", "gpt-4o", ["beta", "eu"])
    assert dict(pipeline.span("invoke_agent support").attributes) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "support",
        "gen_ai.agent.version": "2.1",
        "gen_ai.request.model": "gpt-4o",
        "tracium.workspace.id": "w-1",
        "tracium.tags": ("beta", "eu"),
        "tracium.metadata.team": "search",
        "tracium.metadata.tries": 3,
        "tracium.metadata.ratio": 0.5,
        "tracium.metadata.live": True,
        "tracium.metadata.plan": '{"a":[1,null]}',
        "tracium.metadata.big": str(1 << 70),
    }


def test_defaults_hold_where_nothing_else_is_said(pipeline):
    """Tags come before the run's own, and a run's own metadata replaces the default; installed late, they hold as well."""
    decorated = tracium.agent_trace(tags=["own"])(lambda: None)
    install_defaults(
        AgentDefaults(
            agent_name="shop", model_id="m", version="1", workspace_id="w", tags=("d",), metadata={"a": 1, "b": 1}
        )
    )
    with tracium.start_trace(tags=["own"], metadata={"b": 2}):
        pass
    decorated()
    block, call = (dict(span.attributes) for span in pipeline.spans)
    assert block["tracium.tags"] == ("d", "own")
    assert (block["tracium.metadata.a"], block["tracium.metadata.b"]) == (1, 2)
    for found in (block, call):
        assert found["gen_ai.agent.name"] == "shop"
        assert found["gen_ai.request.model"] == "m"
        assert found["gen_ai.agent.version"] == "1"
        assert found["tracium.workspace.id"] == "w"
    assert call["tracium.tags"] == ("d", "own", "@trace:<lambda>")


def test_without_any_name_an_agent_is_app(pipeline):
    """And a default that is configured later changes the next run."""
    with tracium.start_trace() as run:
        assert run.agent_name == "app"
    assert pipeline.span("invoke_agent app")


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"agent_name": 3}, TypeError, "agent_name must be a string"),
        ({"agent_name": " "}, ValueError, "agent_name is ' '"),
        ({"model_id": ""}, ValueError, "model_id is ''"),
        ({"version": 1}, TypeError, "version must be a string"),
        ({"workspace_id": 1}, TypeError, "workspace_id must be a string"),
        ({"tags": "beta"}, TypeError, r"\['tag'\]"),
        ({"tags": 3}, TypeError, "Tags must be a list"),
        ({"metadata": ["a"]}, TypeError, "Metadata must be a mapping"),
        ({"metadata": {1: 2}}, TypeError, "key of metadata must be a string"),
        ({"metadata": {"": 2}}, ValueError, "must not be empty"),
        ({"trace_id": 5}, TypeError, "32 hexadecimal digits"),
        ({"trace_id": "order-42"}, ValueError, "uuid5"),
        ({"trace_id": "0" * 32}, ValueError, "not all zero"),
        ({"trace_id": "0-" * 20}, ValueError, "32 hexadecimal digits"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(given, error, said):
    """Where they are given."""
    with pytest.raises(error, match=said):
        tracium.start_trace(**given)


def test_a_block_is_entered_once(pipeline):
    """A second time is a mistake, and leaves the first one's span as it was."""
    run = tracium.start_trace("agent")
    with run:
        pass
    with pytest.raises(AgentError, match="entered before"), run:
        pass
    assert len(pipeline.spans) == 1


def test_after_the_end_nothing_changes_and_that_is_said_once(pipeline, caplog):
    """Also when more than one method is called."""
    with tracium.start_trace("agent") as run:
        run.add_tags(["kept"])
    exported = dict(pipeline.span("invoke_agent agent").attributes)
    run.add_tags(["late"])
    run.add_metadata({"late": 1})
    run.record_input("late")
    run.set_token_usage(1, 2)
    run.set_model_id("late")
    run.set_summary({"late": 1})
    run.set_status("failed")
    run.mark_failed("late")
    assert (run.tags, run.model_id, run.summary, run.status) == (["kept"], None, None, "completed")
    assert dict(pipeline.span("invoke_agent agent").attributes) == exported
    assert [record.getMessage()[:42] for record in caplog.records] == ["The span 'invoke_agent agent' of an agent "]
    assert len(pipeline.spans) == 1


def test_what_is_recorded_before_the_block_is_on_the_span(pipeline):
    """A handle may be filled before it is entered."""
    with tracium.start_trace("agent") as run:
        step = run.span("llm", "draft", model_id="m-1")
        step.record_input("question")
        step.set_model_id("m-2")
        step.add_tags(["early"])
        step.add_metadata({"k": "v"})
        with step:
            pass
    span = pipeline.span("chat m-2")
    assert span.attributes["gen_ai.request.model"] == "m-2"
    assert span.attributes["tracium.step.name"] == "draft"
    assert span.attributes["tracium.tags"] == ("early",)
    assert span.attributes["tracium.metadata.k"] == "v"
    assert "question" in span.attributes["gen_ai.input.messages"]


def test_without_a_provider_everything_goes_on(monkeypatch):
    """And there are no ids."""
    monkeypatch.setattr(tracer_module, "get_tracer_provider", NoOpTracerProvider)
    with tracium.start_trace("agent", trace_id=uuid.uuid4().hex) as run, run.span("tool", "search") as step:
        run.set_token_usage(input=1)
        step.record_output("x")
        assert (run.id, step.id, step.trace_id, step.parent_span_id) == (None, None, None, None)


def test_a_tracer_that_fails_does_not_break_the_app(monkeypatch):
    """The block runs, once, and the fault is said."""

    class Broken(NoOpTracerProvider):
        def get_tracer(self, *_args, **_kwargs):
            raise OSError("broken")

    monkeypatch.setattr(tracer_module, "get_tracer_provider", Broken)
    monkeypatch.setattr(faults, "_raising", False)
    ran = []
    with tracium.start_trace("agent") as run, run.span("tool", "search"):
        ran.append(1)
        run.add_tags(["x"])
    assert ran == [1]
    assert [notice.key for notice in notices.notices()] == ["fault:starting the span of an agent:OSError"]


def test_many_tags_and_much_metadata_push_nothing_off_the_span(pipeline):
    """The SDK drops the oldest of too many attributes; what exceeds our share stays in one."""
    with tracium.tenant("acme"), tracium.start_trace("agent", metadata={f"a{n}": n for n in range(20)}) as run:
        for number in range(300):
            run.add_metadata_kv(f"b{number}", number)
            run.add_tags([f"t{number}"])
    attributes = pipeline.span("invoke_agent agent").attributes
    assert attributes["tenant.id"] == "acme"
    assert attributes["gen_ai.operation.name"] == "invoke_agent"
    assert (attributes["tracium.metadata.a0"], attributes["tracium.metadata.b0"]) == (0, 0)
    more = json.loads(attributes["tracium.more_metadata"])
    own = {key for key in attributes if key.startswith("tracium.metadata.")}
    assert len(own) == 32
    assert {key.removeprefix("tracium.metadata.") for key in own} | set(more) == {
        *(f"a{n}" for n in range(20)),
        *(f"b{n}" for n in range(300)),
    }
    assert attributes["tracium.tags"] == tuple(f"t{n}" for n in range(100))
    assert [notice.key for notice in notices.notices()] == ["agent:tags"]


def test_how_it_ends(pipeline):
    """Marked as failed by a sentence or an exception, in a word of the app's own, or well."""
    failure = ValueError("no stock")
    with tracium.start_trace("agent") as run:
        with run.span("plan", "sentence") as step:
            step.mark_failed("it rained", metadata={"mm": 12})
        with run.span("plan", "exception") as step:
            step.mark_failed(failure)
        with run.span("plan", "skipped") as step:
            step.set_status("skipped")
        with run.span("plan", "failed") as step:
            step.set_status("failed")
        with run.span("plan", "well") as step:
            step.set_status("failed")
            step.set_status("completed")
        with suppress(KeyError), run.span("plan", "both") as step:
            step.mark_failed("first")
            raise KeyError("second")
        with suppress(ValueError), run.span("plan", "same") as step:
            step.mark_failed(failure)
            raise failure
    spans = {span.name: span for span in pipeline.spans}

    def told(name):
        span = spans[f"plan {name}"]
        events = [event.attributes["exception.type"] for event in span.events]
        return span.status.status_code, span.status.description, span.attributes.get("error.type"), events

    assert told("sentence") == (StatusCode.ERROR, "it rained", "_OTHER", [])
    assert spans["plan sentence"].attributes["tracium.metadata.mm"] == 12
    assert told("exception") == (StatusCode.ERROR, "ValueError: no stock", "ValueError", ["ValueError"])
    assert told("skipped") == (StatusCode.UNSET, None, None, [])
    assert spans["plan skipped"].attributes["tracium.status"] == "skipped"
    assert told("failed") == (StatusCode.ERROR, "status failed", "_OTHER", [])
    assert told("well") == (StatusCode.OK, None, None, [])
    assert told("both") == (StatusCode.ERROR, "first", "KeyError", ["KeyError"])
    assert told("same") == (StatusCode.ERROR, "ValueError: no stock", "ValueError", ["ValueError"])


def test_an_exception_that_cannot_be_written_out_is_recorded_all_the_same(pipeline):
    """And goes on unchanged."""

    class ShyError(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    error = ShyError()
    with pytest.raises(ShyError) as raised, tracium.start_trace("agent"):
        raise error
    assert raised.value is error
    span = pipeline.span("invoke_agent agent")
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"].endswith("ShyError")
    assert [event.name for event in span.events] == ["exception"]


def test_finish_and_fail_end_a_run_before_its_block(pipeline, caplog):
    """The block still puts the context back."""
    with tracium.start_trace("well") as run:
        assert run.finish(summary={"done": 1}, metadata={"k": 1}, tags=["t"]) == {
            "trace_id": run.id,
            "status": "completed",
        }
        assert run.finish() == {"trace_id": run.id, "status": "already_finished"}
        assert run.summary == {"done": 1}
    with tracium.start_trace("badly") as run:
        assert run.fail(error="broken") == {"trace_id": run.id, "status": "failed"}
        assert run.fail(error="again")["status"] == "already_finished"
    assert tracium.start_trace("never").finish() == {"trace_id": None, "status": "skipped"}
    assert not get_current_span().get_span_context().is_valid
    well, badly = pipeline.spans
    assert well.attributes["tracium.summary"] == '{"done":1}'
    assert (well.attributes["tracium.metadata.k"], well.attributes["tracium.tags"]) == (1, ("t",))
    assert (badly.status.status_code, badly.status.description) == (StatusCode.ERROR, "broken")
    assert caplog.records == []
    with suppress(KeyError), tracium.start_trace("late") as run:
        run.finish()
        raise KeyError
    assert [notice.key for notice in notices.notices()] == ["agent:ended"]


def test_a_generators_caller_keeps_what_it_opened(pipeline):
    """A run in a plain generator that ends late takes nothing from its caller."""

    def body():
        with tracium.start_trace("writer"):
            yield 1

    steps = body()
    next(steps)
    with tracium.tenant("acme"), pipeline.tracer.start_as_current_span("caller") as caller:
        assert list(steps) == []
        assert get_current_span() is caller
        assert tracium.get_current_tenant() == "acme"
    assert {span.name for span in pipeline.spans} == {"invoke_agent writer", "caller"}


def test_tasks_that_start_each_other_keep_nothing_alive(pipeline):
    """Each begins in the context of the one before, which has ended by then."""
    runs = []
    context = contextvars.copy_context()

    def work():
        with tracium.start_trace("agent") as run, run.span("tool", "x"):
            runs.append(weakref.ref(run))
            return contextvars.copy_context()

    for _ in range(20):
        context = context.run(work)
    gc.collect()
    assert sum(run() is not None for run in runs) <= 2


def test_runs_that_overlap_keep_nothing_alive(pipeline):
    """Each begins while the one before is open, and outlives it."""
    runs, context = [], contextvars.copy_context()
    before, left = None, None
    for _ in range(20):
        run = tracium.start_trace("agent")
        runs.append(weakref.ref(run))
        context = context.run(contextvars.copy_context)
        context.run(run.__enter__)
        if before is not None:
            left.run(before.__exit__, None, None, None)
        before, left = run, context
    gc.collect()
    assert sum(one() is not None for one in runs) <= 2
    left.run(before.__exit__, None, None, None)
    assert len(pipeline.spans) == 20
