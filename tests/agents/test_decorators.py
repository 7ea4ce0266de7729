"""Functions as runs and as steps: with and without parentheses, sync and async, and everything they may be given."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json

import pytest
from opentelemetry.trace import StatusCode, get_current_span

import tracium
from tracium.agents import current_trace
from tracium.exceptions import AgentError


async def test_with_and_without_parentheses(pipeline):
    """Runs and steps, functions and coroutines; each runs exactly once and keeps its name, text and result."""
    calls = []

    @tracium.agent_trace
    async def run(question):
        """Run."""
        return await step(question)

    @tracium.agent_span
    async def step(question):
        calls.append(question)
        return tool(question)

    @tracium.agent_span("tool", "upper")
    def tool(text):
        return text.upper()

    assert await run("why") == "WHY"
    assert calls == ["why"]
    assert (run.__name__, run.__doc__, inspect.iscoroutinefunction(run)) == ("run", "Run.", True)
    assert [(span.name, span.attributes["tracium.tags"]) for span in pipeline.spans] == [
        ("execute_tool upper", ("@span:upper",)),
        ("action step", ("@span:step",)),
        ("invoke_agent run", ("@trace:run",)),
    ]


def test_what_a_decorated_function_is_told(pipeline):
    """The attributes of `start_trace` and `span`; automatic tags can be left out."""

    @tracium.agent_trace(
        agent_name="support", model_id="m", version="2", workspace_id="w", metadata={"k": 1}, tags=["t"], auto_tag=False
    )
    def run():
        model()

    @tracium.agent_span(span_type="llm", provider="openai", tags=["u"], metadata={"j": 2}, auto_tag=False)
    def model():
        pass

    run()
    call, agent = pipeline.spans
    assert dict(agent.attributes) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "support",
        "gen_ai.agent.version": "2",
        "gen_ai.request.model": "m",
        "tracium.workspace.id": "w",
        "tracium.metadata.k": 1,
        "tracium.tags": ("t",),
    }
    assert call.name == "chat m", "the function's own name is no model's"
    assert dict(call.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.provider.name": "openai",
        "tracium.step.name": "model",
        "tracium.metadata.j": 2,
        "tracium.tags": ("u",),
        "tracium.usage.unknown": True,
    }


async def test_handles_are_injected(pipeline):
    """As the argument that is named, which a call may not give itself."""

    @tracium.agent_trace("agent", inject_trace_arg="run")
    def agent(question, run=None):
        assert run is current_trace()
        run.record_output(question)
        return work(1)

    @tracium.agent_span("plan", inject_span_arg="step")
    def work(number, **options):
        options["step"].add_tags(["found"])
        return number

    @tracium.agent_span("plan", "async", inject_span_arg="step")
    async def work_async(*, step):
        return step.id

    assert agent("why") == 1
    assert await work_async() == f"{pipeline.spans[-1].context.span_id:016x}"
    assert pipeline.span("plan work").attributes["tracium.tags"] == ("@span:work", "found")
    with pytest.raises(TypeError, match="was given run="):
        agent("why", run=1)
    with pytest.raises(TypeError, match="no argument 'handle'"):
        tracium.agent_trace("agent", inject_trace_arg="handle")(lambda run: run)


def test_the_handle_is_no_argument_that_others_see(pipeline):
    """Web frameworks and tools for models ask the function what to pass."""

    @tracium.agent_trace("agent", inject_trace_arg="run")
    async def answer(question: str, run: tracium.AgentTrace, *, limit: int = 3) -> str:
        return f"{question} {run.agent_name}"

    class Shop:
        @tracium.agent_span("plan", inject_span_arg="step")
        def steps(self, number, step):
            yield step.name

        @tracium.agent_span("plan", inject_span_arg="step")
        def rest(self, **more):
            return more["step"].name

    assert list(inspect.signature(answer).parameters) == ["question", "limit"]
    assert "run" not in answer.__annotations__
    assert str(inspect.signature(Shop().steps)) == "(number)"
    assert list(Shop().steps(1)) == ["steps"]
    assert str(inspect.signature(Shop().rest)) == "(**more)"
    assert Shop().rest() == "rest"


def test_a_web_framework_serves_a_function_that_gets_the_handle(pipeline):
    """It does not ask the client for it."""
    fastapi, client = pytest.importorskip("fastapi"), pytest.importorskip("fastapi.testclient")
    app = fastapi.FastAPI()

    @app.get("/")
    @tracium.agent_trace("agent", inject_trace_arg="run")
    async def answer(question: str, run: tracium.AgentTrace) -> str:
        return f"{question} {run.agent_name}"

    assert client.TestClient(app).get("/?question=why").json() == "why agent"


def test_a_model_is_not_told_of_the_handle(pipeline):
    """It would fill it in."""
    tools = pytest.importorskip("langchain_core.tools")

    @tools.tool
    @tracium.agent_span("tool", inject_span_arg="step")
    def find(number: int, step: object = None) -> str:
        """Find."""
        return f"{number} {step.name}"

    assert list(find.args) == ["number"]
    assert find.invoke({"number": 1}) == "1 find"


async def test_objects_that_are_called_like_functions_of_any_kind(pipeline):
    """The run ends when the work does."""

    class Agent:
        async def __call__(self, number, run=None):
            with pipeline.tracer.start_as_current_span("inside"):
                return number if run is None else run.agent_name

    class Words:
        async def __call__(self):
            yield get_current_span().is_recording()

    class Numbers:
        def __call__(self):
            yield get_current_span().is_recording()

    run = tracium.agent_trace(Agent())
    assert inspect.iscoroutinefunction(run)
    assert await run(3) == 3
    assert [span.name for span in pipeline.spans] == ["inside", "invoke_agent Agent"]
    assert await tracium.agent_trace("a", inject_trace_arg="run")(functools.partial(Agent(), 3))() == "a"
    assert [word async for word in tracium.agent_span("plan")(Words())()] == [True]
    assert list(tracium.agent_span("plan")(Numbers())()) == [True]
    with pytest.raises(TypeError, match=r"Agent\(\) has no argument 'handle'"):
        tracium.agent_trace("a", inject_trace_arg="handle")(Agent())
    with pytest.raises(TypeError, match="cannot be used with Words"):
        tracium.agent_trace("a", capture_return=True)(Words())


async def test_arguments_and_results_are_captured_when_asked_for(pipeline):
    """By their names, without self and without the handle; nothing is unless asked for."""

    class Shop:
        @tracium.agent_span("tool", capture_args=True, capture_return=True, inject_span_arg="step")
        def find(self, order, *more, step, limit=3):
            return {"order": order}

        @tracium.agent_span("tool", capture_args=True, capture_return=True)
        async def count(self, **filters):
            return 2

        @tracium.agent_span("tool")
        def quiet(self, secret):
            return secret

        @tracium.agent_span("plan", capture_return=True)
        def steps(self):
            yield 1
            return "done"

    shop = Shop()
    assert shop.find(7, 8) == {"order": 7}
    assert await shop.count(paid=True) == 2
    shop.quiet("x")
    assert list(shop.steps()) == [1]
    found = {span.name: span.attributes for span in pipeline.spans}
    assert json.loads(found["execute_tool find"]["gen_ai.tool.call.arguments"]) == {"order": 7, "more": [8]}
    assert json.loads(found["execute_tool find"]["gen_ai.tool.call.result"]) == {"order": 7}
    assert json.loads(found["execute_tool count"]["gen_ai.tool.call.arguments"]) == {"filters": {"paid": True}}
    assert found["execute_tool count"]["gen_ai.tool.call.result"] == "2"
    assert not [key for key in found["execute_tool quiet"] if key.startswith("gen_ai.tool.call")]
    assert found["plan steps"]["tracium.output"] == "done"


def test_arguments_that_do_not_fit_are_the_callers_mistake(pipeline):
    """Python says so, as without the decorator."""
    find = tracium.agent_span("tool", capture_args=True)(lambda order: order)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        find()
    assert pipeline.spans[-1].attributes["error.type"] == "TypeError"


@pytest.mark.parametrize(
    "error", [KeyError("mine"), RuntimeError("mine"), KeyboardInterrupt(), asyncio.CancelledError()]
)
async def test_a_function_runs_once_whatever_it_raises(pipeline, error):
    """And its exception is its own; interrupts and cancellations are no failures."""
    calls = []

    @tracium.agent_trace("agent")
    def fails():
        calls.append("sync")
        raise error

    @tracium.agent_span("plan")
    async def fails_async():
        calls.append("async")
        raise error

    with pytest.raises(BaseException) as raised:  # noqa: PT011 - whatever it is
        fails()
    assert raised.value is error
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - whatever it is
        await fails_async()
    assert raised.value is error
    assert calls == ["sync", "async"]
    expected = StatusCode.ERROR if isinstance(error, Exception) else StatusCode.UNSET
    assert {span.status.status_code for span in pipeline.spans} == {expected}
    assert get_current_span().get_span_context().is_valid is False


def test_a_step_outside_of_a_run_stands_for_itself_unless_it_requires_one(pipeline):
    """Then the function does not run."""
    calls = []
    free = tracium.agent_span("tool", "free")(lambda: calls.append("free"))
    bound = tracium.agent_span("tool", "bound", require_trace=True)(lambda: calls.append("bound"))
    free()
    with pytest.raises(AgentError, match="require_trace") as raised:
        bound()
    assert isinstance(raised.value, RuntimeError)
    with tracium.start_trace("agent"):
        bound()
    assert calls == ["free", "bound"]


def test_methods_of_every_kind(pipeline):
    """Static ones and those of the class, on either side of the decorator."""

    class Shop:
        @tracium.agent_span("tool", "a")
        @staticmethod
        def static(number):
            return number

        @staticmethod
        @tracium.agent_span("tool", "b")
        def static_below(number):
            return number

        @tracium.agent_span
        @classmethod
        def of_class(cls, number):
            return cls, number

    assert (Shop.static(1), Shop().static(1), Shop().static_below(2), Shop().of_class(3)) == (1, 1, 2, (Shop, 3))
    assert [span.name for span in pipeline.spans] == [
        "execute_tool a",
        "execute_tool a",
        "execute_tool b",
        "action of_class",
    ]
    bound = tracium.agent_span("tool")(functools.partial(Shop.static_below, 4))
    assert bound() == 4
    assert pipeline.spans[-1].name == "execute_tool static_below"


@pytest.mark.parametrize("decorate", [tracium.agent_trace, tracium.agent_span])
@pytest.mark.parametrize("target", [dict, 3])
def test_what_is_no_function_is_refused(decorate, target):
    """With and without parentheses."""
    with pytest.raises(TypeError, match=r"decorates a function|can be"):
        decorate(target)
    with pytest.raises(TypeError, match=r"decorates a function|can be"):
        decorate("name")(target)


def test_bad_arguments_are_refused_where_the_decorator_stands():
    """And not at the first call."""
    with pytest.raises(ValueError, match="agent_name is ' '"):
        tracium.agent_trace(" ")
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        tracium.agent_trace("agent", trace_id="mine")
    with pytest.raises(TypeError, match="model_id must be a string"):
        tracium.agent_trace("agent", model_id=3)
    with pytest.raises(TypeError, match="Tags must be a list"):
        tracium.agent_span("tool", tags="one")(lambda: None)


def test_the_older_clients_are_taken_and_said_to_be_of_no_use(pipeline):
    """The older SDK required one."""
    with pytest.warns(DeprecationWarning, match="client="):
        decorate = tracium.agent_trace(client=object(), agent_name="agent")
    decorate(lambda: None)()
    assert pipeline.span("invoke_agent agent")


def test_current_trace_and_span(pipeline):
    """The innermost run that is open, and a step of it."""
    assert current_trace() is None
    with pytest.raises(AgentError, match="none is open here"):
        tracium.agents.span("tool")
    with tracium.start_trace("outer") as outer:
        with tracium.start_trace("inner") as inner:
            with inner.span("plan"):
                assert current_trace() is inner
            inner.finish()
            assert current_trace() is outer
        with tracium.agents.span(span_type="tool", name="x", input="q") as step:
            assert step.parent_span_id == f"{outer._span.get_span_context().span_id:016x}"
    assert current_trace() is None
    assert pipeline.span("execute_tool x").attributes["gen_ai.tool.call.arguments"] == "q"
