"""The calls of Bedrock through boto3."""

from __future__ import annotations

import json
import os

from calls import KEPT, QUESTION, begin, drain, elsewhere, run, start, traced

start()

import boto3  # noqa: E402 - traced before
from botocore.config import Config  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402

client = boto3.client(
    "bedrock-runtime",
    endpoint_url=os.environ["VENDOR"],
    region_name="eu-central-1",
    aws_access_key_id="k",
    aws_secret_access_key="s",
    config=Config(retries={"max_attempts": 2, "mode": "standard"}),
)
NOVA, CLAUDE = "amazon.nova-lite-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0"
ASKED = [{"role": "user", "content": [{"text": QUESTION}]}]
TOOL = {"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}
BODY = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 99,
    "messages": [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}],
}


def converse(model=NOVA, **options):
    return client.converse(modelId=model, messages=ASKED, **options)


def stream(model=NOVA):
    return client.converse_stream(modelId=model, messages=ASKED)["stream"]


def invoke(model=CLAUDE):
    json.loads(client.invoke_model(modelId=model, body=json.dumps(BODY))["body"].read())


def invoke_stream(model=CLAUDE):
    return client.invoke_model_with_response_stream(modelId=model, body=json.dumps(BODY))["body"]


def raises():
    try:
        converse("broken")
    except ClientError:
        return
    raise AssertionError("no error")


def abandoned():
    begin(stream("unfinished"))


def broken_out():
    for _ in stream():
        break


def closed_elsewhere():
    elsewhere(begin(stream()).close)


def handed_over():
    """Begin a stream for this customer, and read it while another one is served."""
    opened = stream()
    elsewhere(lambda: serve_other(opened))


def serve_other(opened):
    if traced():
        import tracium

        with tracium.tenant("customer-other"):
            drain(opened)
    else:
        drain(opened)


run(
    {
        "plain": converse,
        "stream": lambda: drain(stream()),
        "tools": lambda: converse(toolConfig={"tools": [TOOL]}),
        "invoke": invoke,
        "invoke-stream": lambda: drain(invoke_stream()),
        "retried": lambda: converse("busy-plain"),
        "raised": raises,
        "abandoned": abandoned,
        "broken-out": broken_out,
        "closed-elsewhere": closed_elsewhere,
        "handed-over": handed_over,
        "unclosed": lambda: KEPT.append(begin(stream("unfinished"))),
        "invoke-unclosed": lambda: KEPT.append(begin(invoke_stream("anthropic.unfinished"))),
    }
)
