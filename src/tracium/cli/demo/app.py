"""The app of the demo: a support desk for many customers, as one would write it with FastAPI and OpenAI's client."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable  # noqa: TC003 - FastAPI reads the annotations

import tracium

tracium.trace(service_name="support-desk", default_version="1.0.0")

from fastapi import FastAPI, HTTPException, Request, Response  # noqa: E402 - as in a user's app, either order works
from fastapi.responses import StreamingResponse  # noqa: E402
from openai import APIStatusError, AsyncOpenAI, omit  # noqa: E402

MODEL = os.environ.get("DEMO_MODEL", "gpt-4o-mini")

# Questions of the machinery are no requests of a customer: FastAPI makes no spans for them.
app = FastAPI(title="support desk", telemetry={"exclude": lambda scope: scope["path"] == "/ready"})
openai = AsyncOpenAI(max_retries=0)


@app.middleware("http")
async def set_tenant(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """The tenant comes from a header here; in your app it comes from a verified token."""
    tenant = request.headers.get("X-Tenant-ID")
    if tenant:
        tracium.set_tenant(tenant)
    return await call_next(request)


@app.get("/ready")
async def ready() -> None:
    """Say that the app answers."""


@app.post("/chat")
async def chat(message: str) -> dict[str, str]:
    """Answer one message."""
    return {"answer": await _ask(message)}


@app.post("/stream")
async def stream(message: str, *, usage: bool = True) -> StreamingResponse:
    """Answer one message word by word; without `usage` the model does not tell how many tokens it took."""
    chunks = await openai.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": message}],
        stream=True,
        stream_options={"include_usage": True} if usage else omit,
    )

    async def words() -> AsyncIterator[str]:
        async for chunk in chunks:
            for choice in chunk.choices:
                yield choice.delta.content or ""

    return StreamingResponse(words(), media_type="text/plain")


@app.post("/resolve")
async def resolve(message: str) -> dict[str, str]:
    """Let an agent look something up and answer: a tool call and two model calls in one trace."""
    async with tracium.start_trace(agent_name="resolver") as trace:
        plan = await _ask(f"Which order is this about? {message}")
        with trace.span("tool", "find_order"):
            order = {"order": 4711, "state": "sent"}
        return {"answer": await _ask(f"{plan} {order} {message}")}


async def _ask(message: str) -> str:
    try:
        completion = await openai.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": message}])
    except APIStatusError as error:
        raise HTTPException(status_code=502, detail=f"the model answered {error.status_code}") from error
    return completion.choices[0].message.content or ""
