"""ASGI without a framework: the two middlewares that make requests and their tenants visible.

Run it; spans go to http://localhost:4318, where `tracium serve` listens, or to TRACIUM_ENDPOINT:

    pip install "tracium[asgi]" uvicorn
    uvicorn asgi_app:app

Try it:

    curl -H "X-Tenant-ID: acme" -N -d "Where is my order?" localhost:8000/stream
    curl -i localhost:8000/stream

What it shows: OpenTelemetry's own middleware makes the server span, tracium's sets its tenant, for any ASGI app and any
framework that speaks ASGI. What names no tenant that there is gets 401.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

import tracium
from tracium.frameworks.asgi import TenantMiddleware
from tracium.frameworks.resolvers import from_header

tracium.trace()

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def agent(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])  # how an app tells its server that it needs no lifespan
    question = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    with tracium.start_trace(agent_name="writer") as run:
        for word in (question["body"], b"It", b"is", b"on", b"its", b"way."):
            with run.span("llm", "next_word"):
                await asyncio.sleep(0.05)  # the model
            await send({"type": "http.response.body", "body": word + b" ", "more_body": True})
    await send({"type": "http.response.body"})


# OpenTelemetry's middleware is the outer one, so that what is refused is seen as well. The other way round is right too.
app = OpenTelemetryMiddleware(
    TenantMiddleware(agent, resolver=from_header("X-Tenant-ID", known={"acme", "globex"}), missing="reject")
)
