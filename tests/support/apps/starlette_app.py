"""Starlette, with its middleware added later, as most apps do."""

import asyncio

from noting import HAND_MADE, async_pieces, is_own, note, noted, pieces, start
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

import tracium
from tracium.frameworks.starlette import TenantMiddleware

start()


def resolve(request):
    return None if is_own(request.url.path) else request.headers.get("X-Tenant-ID")


class SetTenant(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        tenant = resolve(request)
        if tenant:
            tracium.set_tenant(tenant)
        response = await call_next(request)
        tracium.set_tenant(None)
        return response


def number(request):
    return int(request.query_params["n"])


async def async_endpoint(request):
    await asyncio.sleep(0)
    note(number(request), "endpoint")
    return PlainTextResponse("", background=BackgroundTask(note, number(request), "background"))


def plain(request):
    note(number(request), "endpoint")
    return PlainTextResponse("")


async def stream(request):
    return StreamingResponse(async_pieces(number(request)))


def events(request):
    return StreamingResponse(pieces(number(request)), media_type="text/event-stream")


async def error(request):
    note(number(request), "endpoint")
    raise RuntimeError("as asked")


def own(request):
    tracium.set_tenant(request.headers.get("X-Tenant-ID"))
    return StreamingResponse(pieces(number(request)))


async def socket(connection):
    await connection.accept()
    n = int(connection.query_params["n"])
    if HAND_MADE:
        tracium.set_tenant(connection.headers.get("X-Tenant-ID"))
    async for message in connection.iter_text():
        if message.startswith("tenant "):
            tracium.set_tenant(message.removeprefix("tenant "))
        note(n, message)
        await connection.send_text(f"{tracium.get_current_tenant()}")


app = Starlette(
    routes=[
        Route("/plain", plain),
        Route("/async", async_endpoint),
        Route("/stream", stream),
        Route("/events", events),
        Route("/error", error),
        Route("/own/endpoint", own),
        Route("/noted", lambda request: PlainTextResponse(noted())),
        WebSocketRoute("/socket", socket),
    ]
)
if HAND_MADE:
    app.add_middleware(SetTenant)
else:
    app.add_middleware(TenantMiddleware, resolver=resolve)
