"""Starlette: each tenant has a subdomain.

Run it; spans go to http://localhost:4318, where `tracium serve` listens, or to TRACIUM_ENDPOINT:

    pip install "tracium[starlette]" starlette uvicorn
    uvicorn starlette_app:app

Try it; curl knows that names below localhost are this machine:

    curl "acme.localhost:8000/answer?order=17"
    curl -N "globex.localhost:8000/stream?order=17"
    curl nobody.localhost:8000/answer
    curl localhost:8000/answer

What it shows: a host name is what a client says, so it counts for the tenants that there are. Other requests are
answered too, and their spans have no tenant, which is better than a wrong one.
"""

import asyncio
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

import tracium
from tracium.frameworks.resolvers import from_subdomain
from tracium.frameworks.starlette import TenantMiddleware

tracium.trace()


async def exists(tenant: str) -> bool:
    """Ask your database here, and keep its answers for a while: it is asked in each request."""
    return tenant in {"acme", "globex"}


async def answer(request: Request) -> PlainTextResponse:
    order = request.query_params.get("order", "It")
    with tracium.start_trace(agent_name="support") as run, run.span("tool", "find_order"):
        return PlainTextResponse(f"{order} is on its way to {tracium.get_current_tenant() or 'a stranger'}.\n")


async def stream(request: Request) -> StreamingResponse:
    return StreamingResponse(words(request.query_params.get("order", "It")), media_type="text/plain")


async def words(order: str) -> AsyncIterator[str]:
    """Runs when `stream` has returned, for the same tenant."""
    with tracium.start_trace(agent_name="writer") as run:
        for word in (order, "is", "on", "its", "way.\n"):
            with run.span("llm", "next_word"):
                await asyncio.sleep(0.05)  # the model
            yield f"{word} "


app = Starlette(
    routes=[Route("/answer", answer), Route("/stream", stream)],
    # Below a domain of yours, from_subdomain("example.com", …) makes acme of acme.example.com.
    middleware=[Middleware(TenantMiddleware, resolver=from_subdomain("localhost", known=exists))],
)
