"""What is exported of a trace that is sampled out: the usage of its model calls."""

from __future__ import annotations

import pytest
from opentelemetry.trace import (
    SpanKind,
    StatusCode,
)
from support.sampled import Sampled, arriving

import tracium


def test_model_calls_of_a_trace_that_is_sampled_out_are_sent_for_their_usage():
    """Before and after the tenant was known; with all that accounting needs, and no content."""
    pipeline = Sampled(tenant_attributes=("customer",))
    more = {
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-5",
        "gen_ai.response.id": "r1",
        "gen_ai.openai.response.service_tier": "flex",
        "customer": "none-1",
        "user.id": "u",
        "gen_ai.output.messages": "secret",
        "server.address": "secret",
    }
    with pipeline.request(arriving(state=[("ot", "th:0"), ("vendor", "1")])) as request:
        before = pipeline.call("before", tokens=1)
        tracium.set_tenant("none-1")
        after = pipeline.call("after", tokens=2, **more)
        pipeline.call("elsewhere", **{"tracium.usage.elsewhere": True})
        pipeline.call("agent", operation="invoke_agent")
        pipeline.work("nothing")
    assert pipeline.names == ["before", "after"]
    first, second = pipeline.spans
    assert dict(second.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 2,
        "tenant.id": "none-1",
        "tracium.sampled_out": True,
        **{key: value for key, value in more.items() if value != "secret"},
    }
    assert first.attributes["tracium.sampled_out"] is True
    assert first.attributes["gen_ai.usage.input_tokens"] == 1
    for span, original in ((first, before), (second, after)):
        assert span.context.span_id == original.context.span_id
        assert span.parent.span_id == request.context.span_id
        assert span.context.trace_state.to_header() == "vendor=1"
        assert (span.start_time, span.end_time, span.kind) == (original.start_time, original.end_time, SpanKind.CLIENT)
        assert (span.events, span.links, span.resource) == ((), (), original.resource)
        assert span.instrumentation_scope == original.instrumentation_scope
        assert "secret" not in span.to_json()


@pytest.mark.parametrize(
    ("attributes", "sent"),
    [
        ({"gen_ai.operation.name": "embeddings"}, True),
        ({"gen_ai.operation.name": "chat", "tracium.usage.unknown": True}, True),
        ({"gen_ai.operation.name": "image", "tracium.usage.recorded": True, "tracium.usage.images": 2}, True),
        ({"gen_ai.operation.name": "rerank", "gen_ai.usage.input_tokens": 2}, True),
        ({"gen_ai.usage.prompt_tokens": 2}, True),
        ({"openinference.span.kind": "LLM", "llm.token_count.prompt": 2, "llm.model_name": "m"}, True),
        ({"openinference.span.kind": "AGENT", "llm.token_count.prompt": 2}, False),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.usage.input_tokens": 2}, False),
        ({"gen_ai.request.model": "m"}, False),
        ({}, False),
    ],
)
def test_what_counts_as_a_model_call(attributes, sent):
    """What accounting counts, and no totals."""
    pipeline = Sampled()
    with tracium.tenant("none-1"):
        pipeline.tracer.start_span("span", attributes=attributes).end()
    assert [dict(span.attributes) for span in pipeline.spans] == (
        [{**attributes, "tenant.id": "none-1", "tracium.sampled_out": True}] if sent else []
    )


def test_a_failed_model_call_says_so_without_quoting_the_prompt():
    """Its status is sent, and not what it was described by."""
    pipeline = Sampled()
    chat = pipeline.tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"})
    with tracium.tenant("none-1"), pytest.raises(ValueError, match="secret"), chat:
        raise ValueError("secret")
    (span,) = pipeline.spans
    assert span.status.status_code is StatusCode.ERROR
    assert "secret" not in span.to_json()
