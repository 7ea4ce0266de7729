"""Anthropic's wire format: messages, whole and streamed, with a cache and tools.

https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import json

from support.models.vendor import Reply, json_reply, serving

# Anthropic counts what is read from and written to the cache beside the input.
FRESH, READ, WRITTEN, OUTPUT = 9, 4, 2, 7
INPUT = FRESH + READ + WRITTEN
TEXT = ("Hel", "lo")


def anthropic_server():
    """Serve until the block ends; gives the `Vendor`. Its URL is the client's base URL."""
    return serving(_answer)


def usage(output=OUTPUT):
    """What an answer costs, in Anthropic's words."""
    return {
        "input_tokens": FRESH,
        "cache_read_input_tokens": READ,
        "cache_creation_input_tokens": WRITTEN,
        "output_tokens": output,
    }


def message(identity, model, body):
    """A whole answer."""
    tool = wanted_tool(body)
    return {
        "id": identity,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [_block(tool, "".join(TEXT), {"city": "Paris"})],
        "stop_reason": "tool_use" if tool else "end_turn",
        "stop_sequence": None,
        "usage": usage(),
    }


def wanted_tool(body):
    """The tool that the model calls: the first one, unless its result is there."""
    contents = [each["content"] for each in body["messages"] if isinstance(each["content"], list)]
    answered = any(part.get("type") == "tool_result" for content in contents for part in content)
    return body["tools"][0]["name"] if body.get("tools") and not answered else None


def _block(tool, text, given):
    if tool:
        return {"type": "tool_use", "id": "toolu_1", "name": tool, "input": given}
    return {"type": "text", "text": text}


def events(identity, model, body):
    """The events of a streamed answer, as JSON values."""
    tool = wanted_tool(body)
    start = {**message(identity, model, body), "content": [], "stop_reason": None, "usage": usage(1)}
    yield {"type": "message_start", "message": start}
    yield {"type": "content_block_start", "index": 0, "content_block": _block(tool, "", {})}
    yield {"type": "ping"}
    for piece in ('{"city":', '"Paris"}') if tool else TEXT:
        delta = {"type": "input_json_delta", "partial_json": piece} if tool else {"type": "text_delta", "text": piece}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    end = {"stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": OUTPUT}}
    yield {"type": "message_stop"}


def _answer(vendor, request):
    model = request.body["model"]
    if status := vendor.trouble(model):
        kind = "rate_limit_error" if status == 429 else "api_error"
        error = {"type": "error", "error": {"type": kind, "message": f"status {status}"}}
        return json_reply(error, status, retry_after_ms="1")
    identity = vendor.bill("msg_", INPUT, OUTPUT)
    if not request.body.get("stream"):
        return json_reply(message(identity, model, request.body), request_id=f"req-{identity}")
    pieces = (
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        for event in events(identity, model, request.body)
    )
    return Reply(
        vendor.paced(model, pieces, texts=5),
        content_type="text/event-stream",
        headers={"request-id": f"req-{identity}"},
    )
