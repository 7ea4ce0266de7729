"""FastAPI: the tenant is a claim of a signed token, and nobody gets in without one.

Run it; spans go to http://localhost:4318, where `tracium serve` listens, or to TRACIUM_ENDPOINT:

    pip install "tracium[fastapi,jwt]" fastapi "uvicorn[standard]"
    export JWT_SECRET=for-this-example-32-bytes-or-more
    uvicorn fastapi_app:app

Try it, with the same JWT_SECRET:

    TOKEN=$(python -c 'import jwt, os; print(jwt.encode({"tenant_id": "acme"}, os.environ["JWT_SECRET"]))')
    curl -H "Authorization: Bearer $TOKEN" localhost:8000/answer
    curl -H "Authorization: Bearer $TOKEN" -N localhost:8000/stream
    curl -H "Authorization: Bearer $TOKEN" -X POST localhost:8000/tickets
    curl -i localhost:8000/answer
    curl localhost:8000/healthz

What it shows: all spans have the tenant, also those of a streamed body, of a background task and of a websocket. What
comes without a token gets 401; health checks get in.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Literal

from fastapi import BackgroundTasks, FastAPI, WebSocket
from fastapi.requests import HTTPConnection
from fastapi.sse import EventSourceResponse

import tracium
from tracium.frameworks.fastapi import TenantMiddleware
from tracium.frameworks.resolvers import from_jwt_claim

tracium.trace()

PUBLIC = {"/healthz", "/docs", "/openapi.json"}


def missing(connection: HTTPConnection) -> Literal["allow", "reject"]:
    """Probes bring no token, and are nobody's."""
    return "allow" if connection.url.path in PUBLIC else "reject"


# In production your identity provider has the keys: key=jwt.PyJWKClient(URL), algorithms=["RS256"], audience=…, issuer=…
signed = from_jwt_claim("tenant_id", key=os.environ["JWT_SECRET"], algorithms=["HS256"])

app = FastAPI()
app.add_middleware(TenantMiddleware, resolver=signed, missing=missing)


@app.get("/answer")
async def answer() -> str:
    with tracium.start_trace(agent_name="support") as run, run.span("tool", "find_order"):
        return f"It is on its way, {tracium.get_current_tenant()}."


@app.get("/stream", response_class=EventSourceResponse)
async def stream() -> AsyncIterator[str]:
    with tracium.start_trace(agent_name="writer") as run:
        for word in ("It", "is", "on", "its", "way."):
            with run.span("llm", "next_word"):
                await asyncio.sleep(0.05)  # the model
            yield word


@app.post("/tickets", status_code=202)
async def open_ticket(tasks: BackgroundTasks) -> None:
    tasks.add_task(triage)


@tracium.agent_trace("triage")
def triage() -> None:
    """Runs in a thread, when the response has been sent."""


@app.websocket("/chat")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    async for question in websocket.iter_text():
        with tracium.start_trace(agent_name="support"):
            await websocket.send_text(f"{question} It is on its way.")


@app.get("/healthz")
async def healthz() -> str:
    return "ok"
