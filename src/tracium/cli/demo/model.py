"""A small OpenAI-compatible model server: chat completions, streamed or not, in OpenAI's wire format.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

_WORDS: Final = [
    "the",
    "invoice",
    "was",
    "sent",
    "on",
    "monday",
    "and",
    "the",
    "parcel",
    "left",
    "our",
    "warehouse",
    "this",
    "morning",
    "so",
    "it",
    "should",
    "reach",
    "you",
    "within",
    "two",
    "days",
    "unless",
    "the",
    "carrier",
    "is",
    "late",
    "again",
    "in",
    "which",
    "case",
    "we",
    "will",
    "refund",
    "the",
    "shipping",
    "costs",
    "without",
    "further",
    "questions",
]
_FAIL: Final = "please fail"
_SECONDS_PER_WORD: Final = 0.002


async def chat_completions(request: Request) -> Response:
    """Answer with some words, or with the error that a prompt asks for."""
    body = await request.json()
    prompt = " ".join(str(message.get("content", "")) for message in body["messages"])
    if _FAIL in prompt:
        error = {"message": "The server had an error while processing your request.", "type": "server_error"}
        return JSONResponse({"error": error}, status_code=500)
    answer = random.choices(_WORDS, k=random.randint(8, 40))  # noqa: S311 - it is only prose
    usage = _usage(prompt, answer)
    if body.get("stream"):
        asked = bool((body.get("stream_options") or {}).get("include_usage"))
        chunks = _chunks(body["model"], answer, usage if asked else None)
        return StreamingResponse(chunks, media_type="text/event-stream")
    await asyncio.sleep(len(answer) * _SECONDS_PER_WORD)
    message = {"role": "assistant", "content": " ".join(answer)}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return JSONResponse({**_head("chat.completion", body["model"]), "choices": [choice], "usage": usage})


async def _chunks(model: str, answer: list[str], usage: dict[str, Any] | None) -> AsyncIterator[bytes]:
    head = _head("chat.completion.chunk", model)
    for word in answer:
        await asyncio.sleep(_SECONDS_PER_WORD)
        delta = {"role": "assistant", "content": f"{word} "}
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage is not None:
        yield _event({**head, "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid4().hex}", "object": kind, "created": 1_760_000_000, "model": model}


def _usage(prompt: str, answer: list[str]) -> dict[str, Any]:
    tokens_in, tokens_out = max(1, len(prompt) // 4), len(answer)
    return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}


def _event(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


app = Starlette(routes=[Route("/v1/chat/completions", chat_completions, methods=["POST"])])
