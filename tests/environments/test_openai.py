"""The extras `openai` and `openai-v2` with the real client of every generation, against a model server on loopback."""

from __future__ import annotations

import os
from importlib import metadata

import pytest
from support.app import environment, run_app
from support.model_server import model_server
from support.receiver import http_receiver

EXTRA, GENERATION = os.environ.get("EXTRA", "openai"), os.environ.get("GENERATION", "openai-3")
INSTRUMENTOR = {
    "openai": "opentelemetry-instrumentation-genai-openai",
    "openai-v2": "opentelemetry-instrumentation-openai-v2",
}

APP = """
import asyncio, logging
logging.basicConfig()
import tracium
tracium.trace()
from openai import APIStatusError, AsyncOpenAI, OpenAI

client, later = OpenAI(max_retries=0), AsyncOpenAI(max_retries=0)
question = [{"role": "user", "content": "Hello?"}]

with tracium.tenant("plain"):
    client.chat.completions.create(model="gpt-4o", messages=question)
with tracium.tenant("streamed"):
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(model="gpt-4o", messages=question, stream=True, stream_options=options):
        pass
with tracium.tenant("embedded"):
    client.embeddings.create(model="text-embedding-3-small", input="Hello")
with tracium.tenant("broken"):
    try:
        client.chat.completions.create(model="broken", messages=question)
    except APIStatusError:
        pass

async def main():
    async with tracium.tenant("async"):
        await later.chat.completions.create(model="gpt-4o", messages=question)

asyncio.run(main())
print({found.name: found.instrumentor for found in tracium.report().libraries}["openai"].split()[0])
print(*tracium.report().problems, sep="\\n")
"""


@pytest.fixture(scope="module")
def ran():
    with http_receiver() as receiver, model_server() as model:
        variables = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": model, "PYTHONWARNINGS": "ignore"}
        ended = run_app(APP, environment(receiver, **variables))
        yield ended, receiver.spans


def test_the_generation_is_the_one_that_is_meant():
    """The environment has what its name says."""
    assert metadata.version("openai").split(".")[0] == GENERATION[-1]


def test_the_instrumentor_is_the_one_that_is_meant_and_nothing_is_wrong(ran):
    """It loads, and the report says so."""
    ended, _ = ran
    assert ended.stdout.split() == [INSTRUMENTOR[EXTRA]], ended.stdout + ended.stderr


def test_every_call_is_one_span_with_its_tenant_and_tokens(ran):
    """Plain, streamed, async, embeddings and a failure."""
    _, spans = ran
    calls = [span for span in spans if "gen_ai.operation.name" in span.attributes]
    found = {
        span.tenant: (
            span.attributes["gen_ai.operation.name"],
            span.attributes.get("gen_ai.usage.input_tokens"),
            span.attributes.get("gen_ai.usage.output_tokens"),
        )
        for span in calls
    }
    assert len(calls) == len(found)
    assert found["plain"] == found["streamed"] == found["async"] == ("chat", 11, 7)
    assert found["embedded"][:2] == ("embeddings", 3)
    assert found["broken"] == ("chat", None, None)
