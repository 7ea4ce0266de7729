"""OpenAI's wire format: chat completions, Responses and embeddings, whole and streamed.

https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

import json

from support.models.vendor import Reply, json_reply, serving

# What each answer costs; of the input 4 are read from the cache, of the output 2 are reasoned.
INPUT, OUTPUT, EMBEDDED = 11, 7, 3
TEXT = ("Hel", "lo")
_CHAT_USAGE = {
    "prompt_tokens": INPUT,
    "completion_tokens": OUTPUT,
    "total_tokens": INPUT + OUTPUT,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
_RESPONSES_USAGE = {
    "input_tokens": INPUT,
    "output_tokens": OUTPUT,
    "total_tokens": INPUT + OUTPUT,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens_details": {"reasoning_tokens": 2},
}


def openai_server():
    """Serve until the block ends; gives the `Vendor`. The client's base URL is its URL with `/v1`."""
    return serving(_answer)


def _answer(vendor, request):
    model = request.body["model"]
    if status := vendor.trouble(model):
        error = {"message": f"status {status}", "type": "server_error", "param": None, "code": None}
        return json_reply({"error": error}, status, retry_after_ms="1")
    path = request.path.partition("?")[0]
    if path.endswith("/embeddings"):
        vendor.bill("", EMBEDDED, None)
        inputs = request.body["input"] if isinstance(request.body["input"], list) else [request.body["input"]]
        vectors = [{"object": "embedding", "index": at, "embedding": [0.5]} for at in range(len(inputs))]
        usage = {"prompt_tokens": EMBEDDED, "total_tokens": EMBEDDED}
        return json_reply({"object": "list", "model": model, "usage": usage, "data": vectors})
    chat = path.endswith("/chat/completions")
    answer, events = (_completion, _chunks) if chat else (_response, _response_events)
    identity = vendor.bill("chatcmpl-" if chat else "resp_", INPUT, OUTPUT)
    if not request.body.get("stream"):
        return json_reply(answer(identity, request.body), x_request_id=f"req-{identity}")
    pieces = vendor.paced(model, events(identity, request.body), texts=2 if chat else 6)
    return Reply(pieces, content_type="text/event-stream", headers={"x-request-id": f"req-{identity}"})


def _wanted_tool(body, answered):
    """The tool that the model calls: the first one, unless its result is there."""
    if not body.get("tools") or answered:
        return None
    tool = body["tools"][0]
    return tool.get("function", tool)["name"]


def _completion(identity, body):
    tool = _wanted_tool(body, any(message["role"] == "tool" for message in body["messages"]))
    message = {"role": "assistant", "content": None if tool else "".join(TEXT)}
    if tool:
        message["tool_calls"] = [_tool_call(tool)]
    return {
        "id": identity,
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "usage": _CHAT_USAGE,
        "choices": [{"index": 0, "finish_reason": "tool_calls" if tool else "stop", "message": message}],
    }


def _tool_call(name):
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": '{"city": "Paris"}'}}


def _chunks(identity, body):
    """A role with the first text, the second text, the end, and the usage where it is asked for."""
    tool = _wanted_tool(body, any(message["role"] == "tool" for message in body["messages"]))
    deltas = [{"role": "assistant", "content": TEXT[0]}, {"content": TEXT[1]}]
    if tool:
        deltas = [{"role": "assistant", "content": None, "tool_calls": [{"index": 0, **_tool_call(tool)}]}]
    head = {"id": identity, "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    for delta in deltas:
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    end = {"index": 0, "delta": {}, "finish_reason": "tool_calls" if tool else "stop"}
    yield _event({**head, "choices": [end]})
    if (body.get("stream_options") or {}).get("include_usage"):
        yield _event({**head, "choices": [], "usage": _CHAT_USAGE})
    yield b"data: [DONE]\n\n"


def _event(value):
    return f"data: {json.dumps(value)}\n\n".encode()


def _response(identity, body, *, status="completed"):
    return {
        "id": identity,
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": body["model"],
        "output": [_output_item(identity, body)] if status == "completed" else [],
        "usage": _RESPONSES_USAGE if status == "completed" else None,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
    }


def _output_item(identity, body, *, status="completed"):
    asked = body["input"] if isinstance(body["input"], list) else []
    tool = _wanted_tool(body, any(item.get("type") == "function_call_output" for item in asked))
    if tool:
        call = _tool_call(tool)["function"]
        return {"id": f"fc_{identity}", "type": "function_call", "status": status, "call_id": "call_1", **call}
    text = {"type": "output_text", "text": "".join(TEXT), "annotations": []}
    content = [text] if status == "completed" else []
    return {"id": f"msg_{identity}", "type": "message", "role": "assistant", "status": status, "content": content}


def _response_events(identity, body):
    item = _output_item(identity, body)
    at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    steps = [
        ("response.created", {"response": _response(identity, body, status="in_progress")}),
        ("response.in_progress", {"response": _response(identity, body, status="in_progress")}),
        (
            "response.output_item.added",
            {"output_index": 0, "item": _output_item(identity, body, status="in_progress")},
        ),
    ]
    if item["type"] == "message":
        part = item["content"][0]
        steps += [
            ("response.content_part.added", {**at, "part": {**part, "text": ""}}),
            *(("response.output_text.delta", {**at, "delta": text, "logprobs": []}) for text in TEXT),
            ("response.output_text.done", {**at, "text": part["text"], "logprobs": []}),
            ("response.content_part.done", {**at, "part": part}),
        ]
    steps += [
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": _response(identity, body)}),
    ]
    for number, (kind, value) in enumerate(steps):
        yield f"event: {kind}\n".encode() + _event({"type": kind, "sequence_number": number, **value})
