"""Bedrock's wire format: converse and invoke_model (of Anthropic's models), whole and as AWS event streams.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html,
https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from urllib.parse import unquote

from support.models import anthropic
from support.models.vendor import Reply, json_reply, serving

INPUT, OUTPUT = 17, 8
TEXT = ("Hel", "lo")
_CALL = re.compile(r"/model/(?P<model>[^/]+)/(?P<call>[\w-]+)")
_ERRORS = {429: "ThrottlingException", 500: "InternalServerException"}


def bedrock_server():
    """Serve until the block ends; gives the `Vendor`. Its URL is the client's endpoint."""
    return serving(_answer)


def framed(kind, value):
    """One message of an event stream: lengths, their checksum, headers, payload, the checksum of it all."""
    payload = json.dumps(value).encode()
    named = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(text)) + text.encode()
        for name, text in named.items()
    )
    prelude = struct.pack("!II", len(headers) + len(payload) + 16, len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", zlib.crc32(message))


def _answer(vendor, request):
    found = _CALL.search(request.path)
    model, call = unquote(found["model"]), found["call"]
    if status := vendor.trouble(model):
        error = {"message": f"status {status}"}
        return json_reply(error, status, x_amzn_errortype=_ERRORS[status])
    return {
        "converse": _converse,
        "converse-stream": _converse_stream,
        "invoke": _invoke,
        "invoke-with-response-stream": _invoke_stream,
    }[call](vendor, model, request.body)


def _usage():
    return {"inputTokens": INPUT, "outputTokens": OUTPUT, "totalTokens": INPUT + OUTPUT}


def _wanted_tool(body):
    tools = (body.get("toolConfig") or {}).get("tools") or ()
    answered = any("toolResult" in part for message in body["messages"] for part in message["content"])
    return tools[0]["toolSpec"]["name"] if tools and not answered else None


def _converse(vendor, _model, body):
    tool = _wanted_tool(body)
    part = {"text": "".join(TEXT)}
    if tool:
        part = {"toolUse": {"toolUseId": "tooluse_1", "name": tool, "input": {"city": "Paris"}}}
    vendor.bill("", INPUT, OUTPUT)
    return json_reply(
        {
            "output": {"message": {"role": "assistant", "content": [part]}},
            "stopReason": "tool_use" if tool else "end_turn",
            "usage": _usage(),
            "metrics": {"latencyMs": 1},
        }
    )


def _converse_stream(vendor, model, _body):
    vendor.bill("", INPUT, OUTPUT)
    pieces = [
        framed("messageStart", {"role": "assistant"}),
        *(framed("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}) for text in TEXT),
        framed("contentBlockStop", {"contentBlockIndex": 0}),
        framed("messageStop", {"stopReason": "end_turn"}),
        framed("metadata", {"usage": _usage(), "metrics": {"latencyMs": 1}}),
    ]
    return _event_stream(vendor.paced(model, pieces, texts=3))


def _invoke(vendor, model, body):
    identity = vendor.bill("msg_", anthropic.INPUT, anthropic.OUTPUT)
    counts = {"Input": anthropic.FRESH, "Output": anthropic.OUTPUT}
    headers = {f"x_amzn_bedrock_{name}_token_count": str(count) for name, count in counts.items()}
    return json_reply(anthropic.message(identity, model, body), **headers)


def _invoke_stream(vendor, model, body):
    identity = vendor.bill("msg_", anthropic.INPUT, anthropic.OUTPUT)
    events = list(anthropic.events(identity, model, body))
    events[-1]["amazon-bedrock-invocationMetrics"] = {
        "inputTokenCount": anthropic.FRESH,
        "outputTokenCount": anthropic.OUTPUT,
        "invocationLatency": 1,
        "firstByteLatency": 1,
    }
    pieces = (framed("chunk", {"bytes": base64.b64encode(json.dumps(event).encode()).decode()}) for event in events)
    return _event_stream(vendor.paced(model, pieces, texts=5))


def _event_stream(pieces):
    return Reply(pieces, content_type="application/vnd.amazon.eventstream")
