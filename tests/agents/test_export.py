"""Agents' spans as they arrive at a backend."""

from __future__ import annotations

from support.app import environment, run_app
from support.receiver import http_receiver

APP = """
import tracium

tracium.trace()
with tracium.start_trace("early"):
    pass

@tracium.agent_span("tool", inject_span_arg="step")
def search(text, step):
    step.set_token_usage(input=3, output=2)
    step.add_metadata({"odd": "a\\ud800b", "big": 1 << 80, "nan": float("nan"), "nested": {"\\ud800": [1, None]}})
    yield text

with tracium.tenant("acme"), tracium.start_trace(
    "support", model_id="gpt-4o", tags=["\\u00fc", "b\\ud800"], trace_id="4bf92f3577b34da6a3ce929d0e0e4736"
) as run:
    assert list(search("tea")) == ["tea"]
    run.mark_failed("broken \\ud800")
    run.set_summary({"found": 1})
"""


def test_everything_that_is_recorded_arrives():
    """In the trace that was asked for, with values that the app made as odd as it can."""
    with http_receiver() as receiver:
        ended = run_app(APP, environment(receiver))
    assert ended.stderr == ""
    spans = {span.name: span for span in receiver.spans}
    assert set(spans) == {
        "invoke_agent early",
        "chat gpt-4o",
        "execute_tool search",
        "invoke_agent support",
    }
    agent, tool, call = (spans[name] for name in ("invoke_agent support", "execute_tool search", "chat gpt-4o"))
    assert {span.trace_id for span in (agent, tool, call)} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    assert (agent.parent_id, tool.parent_id, call.parent_id) == ("", agent.span_id, tool.span_id)
    assert {span.tenant for span in (agent, tool, call)} == {"acme"}
    assert spans["invoke_agent early"].tenant is None
    assert (call.attributes["gen_ai.usage.input_tokens"], call.attributes["gen_ai.usage.output_tokens"]) == (3, 2)
    assert list(agent.attributes["tracium.tags"]) == ["ü", "b?"]
    assert tool.attributes["tracium.metadata.odd"] == "a?b"
    assert tool.attributes["tracium.metadata.big"] == str(1 << 80)
    assert tool.attributes["tracium.metadata.nested"] == '{"?":[1,null]}'


WITHOUT = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import tracium

memory = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(memory))
trace.set_tracer_provider(provider)

@tracium.agent_span("tool", capture_args=True, capture_return=True)
def find(word):
    return word

def record():
    with tracium.start_trace("agent", metadata={"k": "v"}) as run:
        run.record_input("secret")
        run.record_output("secret")
        run.set_summary({"text": "secret"})
        assert run.summary == {"text": "secret"}
        with run.span("llm", "m", input="secret") as call:
            call.set_tools([{"name": "secret"}])
            call.set_tool_calls([{"name": "secret"}])
        find("secret")
    spans = memory.get_finished_spans()
    memory.clear()
    return spans, "secret" in str([dict(span.attributes) for span in spans])

spans, held = record()
assert [span.name for span in spans] == ["chat m", "execute_tool find", "invoke_agent agent"]
assert spans[-1].attributes["tracium.metadata.k"] == "v"
assert not held
tracium.init(capture_content=True)
assert record()[1]
"""


def test_content_is_recorded_only_where_something_settles_it():
    """Without `tracium.init()` no policy would look at it, and no redaction."""
    run_app(WITHOUT, environment(OTEL_TRACES_EXPORTER="none"))
