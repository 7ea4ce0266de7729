"""Gemini's wire format: generateContent, streamGenerateContent and embeddings.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

import json
import re

from support.models.vendor import Reply, json_reply, serving

# Gemini counts thoughts beside the candidates; of the prompt 4 are read from the cache.
PROMPT, CANDIDATES, THOUGHTS, CACHED = 13, 5, 2, 4
TEXT = ("Hel", "lo")
_METHOD = re.compile(r"/models/(?P<model>[^:]+):(?P<method>\w+)")


def gemini_server():
    """Serve until the block ends; gives the `Vendor`. Its URL is the client's base URL."""
    return serving(_answer)


def _answer(vendor, request):
    found = _METHOD.search(request.path)
    model, method = found["model"], found["method"]
    if status := vendor.trouble(model):
        name = "RESOURCE_EXHAUSTED" if status == 429 else "INTERNAL"
        return json_reply({"error": {"code": status, "message": f"status {status}", "status": name}}, status)
    if method == "batchEmbedContents":
        vendor.bill("", None, None)
        return json_reply({"embeddings": [{"values": [0.5]} for _ in request.body["requests"]]})
    identity = vendor.bill("gemini-", PROMPT, CANDIDATES + THOUGHTS)
    if method == "generateContent":
        return json_reply(_response(identity, model, _parts(request.body), "STOP", usage=True))
    return Reply(vendor.paced(model, _chunks(identity, model, request.body)), content_type="text/event-stream")


def _parts(body):
    declared = [tool for group in body.get("tools") or () for tool in group.get("functionDeclarations") or ()]
    answered = any("functionResponse" in part for content in body["contents"] for part in content["parts"])
    if declared and not answered:
        return [{"functionCall": {"name": declared[0]["name"], "args": {"city": "Paris"}}}]
    return [{"text": "".join(TEXT)}]


def _response(identity, model, parts, finish, *, usage):
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    response = {"candidates": [candidate], "modelVersion": model, "responseId": identity}
    if usage:
        response["usageMetadata"] = {
            "promptTokenCount": PROMPT,
            "candidatesTokenCount": CANDIDATES,
            "thoughtsTokenCount": THOUGHTS,
            "cachedContentTokenCount": CACHED,
            "totalTokenCount": PROMPT + CANDIDATES + THOUGHTS,
        }
    return response


def _chunks(identity, model, body):
    """Every piece of text, and the end with the usage: this vendor always sends it."""
    parts = _parts(body)
    pieces = [[{"text": text}] for text in TEXT] if "text" in parts[0] else [parts]
    values = [_response(identity, model, piece, None, usage=False) for piece in pieces]
    values.append(_response(identity, model, [{"text": ""}], "STOP", usage=True))
    return (f"data: {json.dumps(value)}\r\n\r\n".encode() for value in values)
