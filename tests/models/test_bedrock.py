"""Bedrock: whose a call is when its stream is read, and what it used where that is told in several places."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from contextlib import closing

import boto3
import pytest
from botocore.exceptions import EventStreamError
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.models.bedrock import framed
from support.models.vendor import Reply, json_reply, serving

import tracium
from tracium.models import bedrock
from tracium.signals import tenant_span_processor
from tracium.signals.genai import GenAISpanProcessor
from tracium.signals.metrics import TenantMeterProvider

CACHED = {"inputTokens": 9, "outputTokens": 7, "totalTokens": 22, "cacheReadInputTokens": 4, "cacheWriteInputTokens": 2}
INPUT, OUTPUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
READ, WRITTEN = "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens"
ASKED = [{"role": "user", "content": [{"text": "?"}]}]


class Site:
    """A client of a server that answers with `reply`, and what is recorded of it."""

    def __init__(self, url):
        self.client = boto3.client(
            "bedrock-runtime",
            endpoint_url=url,
            region_name="eu-central-1",
            aws_access_key_id="k",
            aws_secret_access_key="s",
        )
        self.reply = None
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        for processor in (tenant_span_processor(), GenAISpanProcessor(), SimpleSpanProcessor(self.exporter)):
            self.tracers.add_span_processor(processor)
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)

    def invoke(self, model, **body):
        return json.loads(self.client.invoke_model(modelId=model, body=json.dumps(body))["body"].read())

    @property
    def attributes(self):
        (span,) = self.exporter.get_finished_spans()
        return dict(span.attributes)

    @property
    def points(self):
        """Tenant and sum of each point, by metric and token type."""
        data = self.reader.get_metrics_data()
        return {
            (metric.name, point.attributes.get("gen_ai.token.type")): (point.attributes.get("tenant.id"), point.sum)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        }


@pytest.fixture
def site():
    with serving(lambda _vendor, _request: made.reply) as vendor:
        made = Site(vendor.url)
        bedrock.instrument()
        instrumentor = BotocoreInstrumentor()
        instrumentor.instrument(
            skip_dep_check=True, tracer_provider=made.tracers, meter_provider=TenantMeterProvider(made.meters)
        )
        try:
            yield made
        finally:
            instrumentor.uninstrument()
            made.client.close()
            made.tracers.shutdown()
            made.meters.shutdown()


def stream(*messages):
    return Reply((framed(kind, value) for kind, value in messages), content_type="application/vnd.amazon.eventstream")


def test_a_stream_is_its_beginners_whoever_reads_it(site):
    """The metric says so too, with what the cache held in the input; who reads stays who they are."""
    site.reply = stream(("messageStop", {"stopReason": "end_turn"}), ("metadata", {"usage": CACHED}))
    with tracium.tenant("acme"):
        opened = site.client.converse_stream(modelId="m", messages=ASKED)["stream"]
    with tracium.tenant("globex"):
        list(opened)
        assert tracium.get_current_tenant() == "globex"
    points = site.points
    assert site.attributes.items() >= {"tenant.id": "acme", INPUT: 15, OUTPUT: 7, READ: 4, WRITTEN: 2}.items()
    assert {tenant for tenant, _ in points.values()} == {"acme"}
    assert points["gen_ai.client.token.usage", "input"] == ("acme", 15)


def test_a_stream_that_breaks_is_its_beginners(site):
    """With its error; and the reader gets the error."""
    site.reply = Reply(iter([exception_message()]), content_type="application/vnd.amazon.eventstream")
    with tracium.tenant("acme"):
        opened = site.client.converse_stream(modelId="m", messages=ASKED)["stream"]
    with tracium.tenant("globex"), closing(opened), pytest.raises(EventStreamError):
        list(opened)
    assert site.attributes["error.type"] == "EventStreamError"
    assert [tenant for tenant, _ in site.points.values()] == ["acme"]


def test_what_the_cache_held_is_input(site):
    """It is counted beside it by Bedrock; the app's own answer stays as it came."""
    said = {"message": {"role": "assistant", "content": []}}
    site.reply = json_reply({"output": said, "stopReason": "end_turn", "usage": CACHED})
    answer = site.client.converse(modelId="m", messages=ASKED)
    assert answer["usage"] == CACHED
    assert site.attributes.items() >= {INPUT: 15, OUTPUT: 7, READ: 4, WRITTEN: 2}.items()
    assert site.points["gen_ai.client.token.usage", "input"] == (None, 15)


def test_a_claudes_stream_has_what_its_begin_says_of_the_cache(site):
    """Its end does not."""
    usage = {"input_tokens": 9, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2, "output_tokens": 1}
    events = (
        {"type": "message_start", "message": {"role": "assistant", "content": [], "usage": usage}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 9, "outputTokenCount": 7}},
    )
    site.reply = stream(
        *(("chunk", {"bytes": base64.b64encode(json.dumps(event).encode()).decode()}) for event in events)
    )
    opened = site.client.invoke_model_with_response_stream(modelId="anthropic.claude-x", body="{}")["body"]
    list(opened)
    assert site.attributes.items() >= {INPUT: 15, OUTPUT: 7, READ: 4, WRITTEN: 2}.items()
    assert site.points["gen_ai.client.token.usage", "input"] == (None, 15)


ANSWERS = {
    "cohere.command-r-v1:0": {"text": "Hello there", "finish_reason": "COMPLETE"},
    "cohere.command-text-v14": {"generations": [{"text": "Hello there", "finish_reason": "COMPLETE"}]},
    "mistral.mistral-7b-instruct-v0:2": {"outputs": [{"text": "Hello there", "stop_reason": "stop"}]},
}


@pytest.mark.parametrize("model", ANSWERS)
def test_tokens_that_are_not_told_are_not_estimated(site, model):
    """The instrumentation takes six characters for one."""
    site.reply = json_reply(ANSWERS[model])
    assert site.invoke(model, prompt="How are you?", message="How are you?") == ANSWERS[model]
    assert not {INPUT, OUTPUT} & site.attributes.keys()
    assert site.attributes["tracium.usage.unknown"] is True
    assert "gen_ai.response.finish_reasons" in site.attributes


@pytest.mark.parametrize("model", ANSWERS)
def test_tokens_that_the_headers_tell_are_taken(site, model):
    """Bedrock's own count."""
    counts = {"x_amzn_bedrock_input_token_count": "5", "x_amzn_bedrock_output_token_count": "2"}
    site.reply = json_reply(ANSWERS[model], **counts)
    site.invoke(model, prompt="How are you?", message="How are you?")
    assert site.attributes.items() >= {INPUT: 5, OUTPUT: 2}.items()
    assert "tracium.usage.unknown" not in site.attributes


def exception_message():
    """A message of an event stream that says that something went wrong, instead of the next event.

    https://smithy.io/2.0/aws/amazon-eventstream.html
    """
    payload = json.dumps({"message": "no"}).encode()
    named = {":exception-type": "internalServerException", ":message-type": "exception"}
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(text)) + text.encode()
        for name, text in named.items()
    )
    prelude = struct.pack("!II", len(headers) + len(payload) + 16, len(headers))
    whole = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return whole + struct.pack("!I", zlib.crc32(whole))
