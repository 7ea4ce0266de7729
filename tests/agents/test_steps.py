"""Steps of an agent: what each kind is in the conventions, and what can be recorded on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind

import tracium
from tracium import notices
from tracium.agents.encoding import as_attribute, as_json, as_text
from tracium.agents.messages import messages

MOMENT = datetime(2026, 11, 1, 12, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def run(pipeline):
    with tracium.start_trace("agent") as handle:
        yield handle


@pytest.fixture
def recorded(pipeline, run):
    """The attributes of a step on which `work` was done."""

    def recorded(span_type, name=None, work=lambda step: None, **options):
        with run.span(span_type, name, **options) as step:
            work(step)
        return pipeline.spans[-1].attributes

    return recorded


@pytest.mark.parametrize(
    ("span_type", "name", "span_name", "kind", "attributes"),
    [
        ("llm", "gpt-4o", "chat gpt-4o", SpanKind.CLIENT, {"gen_ai.request.model": "gpt-4o"}),
        ("llm", None, "chat", SpanKind.CLIENT, {}),
        ("llm", "draft an answer", "chat", SpanKind.CLIENT, {"tracium.step.name": "draft an answer"}),
        ("text_completion", "m", "text_completion m", SpanKind.CLIENT, {"gen_ai.request.model": "m"}),
        ("embedding", "e-3", "embeddings e-3", SpanKind.CLIENT, {"gen_ai.request.model": "e-3"}),
        ("tool", "search", "execute_tool search", SpanKind.INTERNAL, {"gen_ai.tool.name": "search"}),
        ("retrieval", "docs", "retrieval docs", SpanKind.CLIENT, {"gen_ai.data_source.id": "docs"}),
        ("plan", None, "plan", SpanKind.INTERNAL, {}),
        ("action", "book", "action book", SpanKind.INTERNAL, {}),
        ("my own word", "x", "my own word x", SpanKind.INTERNAL, {}),
    ],
)
def test_kinds(pipeline, run, span_type, name, span_name, kind, attributes):
    """The conventions' operation, name and kind of span; a word that they do not have is its own."""
    with run.span(span_type, name) as step:
        assert (step.span_type, step.name) == (span_type, name)
    (span,) = pipeline.spans
    assert (span.name, span.kind) == (span_name, kind)
    told = {key: value for key, value in span.attributes.items() if key != "tracium.usage.unknown"}
    assert told == {"gen_ai.operation.name": span_name.removesuffix(f" {name}"), **attributes}


def test_the_model_of_a_call(pipeline):
    """What is told last, else `model_id`, else the name, else the run's."""
    with tracium.start_trace("agent", model_id="of-run") as run:
        with run.span("llm"):
            pass
        with run.span("llm", "named"):
            pass
        with run.span("llm", "step", model_id="given", provider="openai"):
            pass
        with run.span("llm", "step") as step:
            step.set_model_id("told", provider="anthropic")
            step.set_model_id(None)
            assert step.model_id == "told"
        run.set_model_id("changed")
        with run.span("plan") as plan, plan.span("llm", "two words"):
            pass
    calls = [span for span in pipeline.spans if span.name.startswith("chat")]
    assert [span.name for span in calls] == ["chat of-run", "chat named", "chat given", "chat told", "chat changed"]
    assert [span.attributes["gen_ai.request.model"] for span in calls] == [
        "of-run",
        "named",
        "given",
        "told",
        "changed",
    ]
    assert [span.attributes.get("gen_ai.provider.name") for span in calls] == [None, None, "openai", "anthropic", None]
    assert [span.attributes.get("tracium.step.name") for span in calls] == [None, None, "step", "step", "two words"]


def test_content_of_tools_retrievals_and_others(recorded):
    """Strings as they are, everything else as JSON, under the conventions' names where there are any."""

    def work(step):
        step.record_input({"q": "tea"})
        step.record_output("found")

    tool = recorded("tool", "search", work)
    assert (tool["gen_ai.tool.call.arguments"], tool["gen_ai.tool.call.result"]) == ('{"q":"tea"}', "found")
    plan = recorded("plan", None, work)
    assert (plan["tracium.input"], plan["tracium.output"]) == ('{"q":"tea"}', "found")

    def retrieve(step):
        step.record_input("tea?")
        step.record_output([{"id": "d1", "score": 0.5}, "plain"])

    found = recorded("retrieval", "docs", retrieve)
    assert found["gen_ai.retrieval.query.text"] == "tea?"
    assert json.loads(found["gen_ai.retrieval.documents"]) == [{"id": "d1", "score": 0.5}, {"content": "plain"}]


def test_content_of_model_calls(recorded):
    """Messages in the conventions' form; the answer and the calls that it asks for are one message."""

    def work(step):
        step.record_input([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}])
        step.set_tools([{"type": "function", "name": "search"}])
        step.set_tool_calls([{"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"q": 1}'}}])
        step.record_output("Let me look.")

    call = recorded("llm", "gpt-4o", work)
    assert json.loads(call["gen_ai.input.messages"]) == [
        {"role": "system", "parts": [{"type": "text", "content": "Be kind."}]},
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
    ]
    assert json.loads(call["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "Let me look."},
                {"type": "tool_call", "id": "c1", "name": "search", "arguments": {"q": 1}},
            ],
        }
    ]
    assert json.loads(call["gen_ai.tool.definitions"]) == [{"type": "function", "name": "search"}]


def test_content_of_a_run(pipeline):
    """A run has messages too."""
    with tracium.start_trace("agent") as run:
        run.record_input("why")
        run.record_output("because")
    attributes = pipeline.span("invoke_agent agent").attributes
    assert json.loads(attributes["gen_ai.input.messages"])[0]["role"] == "user"
    assert json.loads(attributes["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "because"}]}
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("Hi", [("user", [{"type": "text", "content": "Hi"}])]),
        (
            {"system": "Be kind.", "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
            [("system", [{"type": "text", "content": "Be kind."}]), ("user", [{"type": "text", "content": "Hi"}])],
        ),
        (
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
            [("tool", [{"type": "tool_call_response", "id": "c1", "response": "42"}])],
        ),
        (
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]},
            [("assistant", [{"type": "tool_call", "id": "t", "name": "f", "arguments": {"a": 1}}])],
        ),
        (
            [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]}],
            [("user", [{"type": "tool_call_response", "id": "t", "response": "r"}])],
        ),
        (
            [{"role": "user", "parts": [{"type": "uri", "uri": "https://a.example"}]}],
            [("user", [{"type": "uri", "uri": "https://a.example"}])],
        ),
        (
            {"messages": [], "temperature": 1},
            [("user", [{"type": "text", "content": '{"messages":[],"temperature":1}'}])],
        ),
        (["a", {"b": 1}], [("user", [{"type": "text", "content": '["a",{"b":1}]'}])]),
        (7, [("user", [{"type": "text", "content": "7"}])]),
    ],
)
def test_messages_of_every_provider(data, expected):
    """And what is no message is the text of one."""
    assert [(message["role"], message["parts"]) for message in messages(data, "user")] == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
)


@given(JSON)
def test_anything_becomes_text_that_can_be_exported(value):
    """Valid JSON without NaN, valid UTF-8, a 64-bit number: OTLP can hold it."""
    json.loads(as_json(value), parse_constant=pytest.fail)
    as_text(value).encode()
    attribute = as_attribute(value)
    assert isinstance(attribute, bool | int | float | str)
    assert not isinstance(attribute, int) or -(1 << 63) <= attribute < 1 << 63


@given(
    JSON
    | st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["user", "tool", "system"])},
            optional={"content": JSON, "parts": JSON, "tool_calls": st.lists(JSON), "name": st.text()},
        ),
        min_size=1,
    )
)
def test_any_messages_have_the_conventions_form(value):
    """A list of objects with a role and typed parts, whatever came."""
    found = json.loads(as_json(messages(value, "user")))
    assert found
    assert all(isinstance(message["role"], str) for message in found)
    assert all(isinstance(part["type"], str) for message in found for part in message["parts"])


def test_objects_of_the_app_are_written_as_far_as_they_let_themselves(recorded):
    """Dataclasses, models, what contains itself, and what cannot be looked at."""

    @dataclass
    class Query:
        text: str
        page: int

    class Model:
        def model_dump(self):
            return {"answer": b"\x00"}

    class Hostile:
        def __str__(self):
            raise RuntimeError("no")

    around = {"self": None, "deep": None}
    around["self"] = around
    deep = around["deep"] = []
    for _ in range(10_000):
        deep.append([])
        deep = deep[0]
    written = recorded(
        "tool", "x", lambda step: step.record_input([Query("tea", 1), Model(), Hostile(), around, {3: "\ud800"}])
    )
    query, model, hostile, circle, odd = json.loads(written["gen_ai.tool.call.arguments"])
    assert query == {"text": "tea", "page": 1}
    assert model == {"answer": "AA=="}
    assert hostile.endswith("Hostile>")
    assert circle["self"] == "…"
    assert odd == {"3": "?"}


def test_when_a_step_was_and_what_it_is_called(pipeline, run):
    """Times, ids and parents that the app gives."""
    with run.span("plan", "outer") as outer:
        pass
    told = run.record_span(
        "tool",
        "search",
        input="q",
        output="r",
        started_at=MOMENT,
        latency_ms=250,
        span_id="00f067aa0ba902b7",
        parent_span_id=outer.id,
        tags=["late"],
        metadata={"k": 1},
    )
    span = pipeline.spans[-1]
    assert told == {
        "type": "tool",
        "name": "search",
        "span_id": "00f067aa0ba902b7",
        "trace_id": run.id,
        "status": "completed",
    }
    assert span.start_time == 1793536200123456000
    assert span.end_time - span.start_time == 250_000_000
    assert f"{span.context.span_id:016x}" == "00f067aa0ba902b7"
    assert f"{span.parent.span_id:016x}" == outer.id
    assert span.context.trace_id == pipeline.spans[0].context.trace_id
    assert span.attributes["gen_ai.tool.call.result"] == "r"
    failed = run.record_span("plan", status="skipped", error="no time", latency_ms=1000)
    assert (failed["status"], failed["error"]) == ("failed", "no time")
    assert pipeline.spans[-1].end_time - pipeline.spans[-1].start_time == 1_000_000_000


def test_a_parent_that_is_open_is_found(pipeline, run):
    """The step belongs to it, whatever the current span is."""
    with (
        run.span("plan", "outer") as outer,
        run.span("plan", "inner"),
        run.span("tool", "x", parent_span_id=outer.id) as x,
    ):
        assert x.parent_span_id == outer.id
    assert notices.notices() == ()


def test_a_tool_execution_has_the_id_of_its_call(pipeline, run):
    """Under the model call that asked for it."""
    with run.span("llm", "m") as call, run.tool_execution("weather", tool_call_id="c1", input={"at": "SF"}) as tool:
        assert tool.parent_span_id == call.id
    attributes = pipeline.span("execute_tool weather").attributes
    assert attributes["gen_ai.tool.call.id"] == "c1"
    assert attributes["gen_ai.tool.call.arguments"] == '{"at":"SF"}'


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"colour": 1}, TypeError, "no option 'colour'"),
        ({"depth_level": 1}, tracium.TraciumError, "depth_level= of a step is gone"),
        ({"parallel_group_id": "a"}, tracium.TraciumError, "parallel_group_id= of a step is gone"),
        ({"sequence_number": 1}, tracium.TraciumError, "sequence_number= of a step is gone"),
        ({"started_at": "now"}, TypeError, "must be a datetime"),
        ({"started_at": MOMENT.replace(tzinfo=None)}, ValueError, "no time zone"),
        ({"latency_ms": "1"}, TypeError, "number of milliseconds"),
        ({"latency_ms": -1}, ValueError, "from 0 on"),
        ({"latency_ms": float("nan")}, ValueError, "from 0 on"),
        ({"span_id": "xyz"}, ValueError, "16 hexadecimal digits"),
        ({"parent_span_id": 3}, TypeError, "16 hexadecimal digits"),
        ({"input_tokens": -1}, ValueError, "input_tokens=-1"),
        ({"tool_call_id": 3}, TypeError, "tool_call_id must be a string"),
        ({"tags": "one"}, TypeError, "Tags must be a list"),
        ({"name": 3}, TypeError, "name must be a string"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(run, options, error, said):
    """Also those that only the older SDK had."""
    with pytest.raises(error, match=said):
        run.span("tool", **options)


def test_other_time_zones_are_the_same_moment(pipeline, run):
    """A moment is a moment."""
    zone = datetime.now().astimezone().tzinfo
    run.record_span(
        "plan", started_at=MOMENT.astimezone(zone), latency_ms=timedelta(seconds=1) / timedelta(milliseconds=1)
    )
    assert pipeline.spans[-1].start_time == 1793536200123456000
