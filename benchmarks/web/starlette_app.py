"""The Starlette app, with the ready-made middleware."""

from contextlib import suppress

import wiring
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect
from traffic import TENANTS

from tracium.frameworks.resolvers import from_header
from tracium.frameworks.starlette import TenantMiddleware

wiring.begin()


async def plain(request):
    with wiring.work("work", _id(request)):
        return PlainTextResponse(str(wiring.get_current_tenant()))


def thread(request):
    with wiring.work("work", _id(request)):
        return PlainTextResponse(str(wiring.get_current_tenant()))


async def stream(request):
    with wiring.work("work", _id(request)):
        return StreamingResponse(_parts(_id(request)))


# A sync iterator, whose steps run in threads.
def _parts(request):
    for name in ("first", "second"):
        with wiring.work(name, request):
            part = name
        yield part


async def fail(request):
    with wiring.work("work", _id(request)):
        pass
    raise ArithmeticError(_id(request))


async def websocket(socket):
    await socket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
            with wiring.work("work", _id(socket)):
                await socket.send_text(str(wiring.get_current_tenant()))


def _id(request):
    return int(request.query_params["id"])


app = Starlette(
    routes=[
        Route("/plain", plain),
        Route("/thread", thread),
        Route("/stream", stream),
        Route("/raise", fail),
        WebSocketRoute("/ws", websocket),
    ]
)
app.add_middleware(TenantMiddleware, resolver=from_header("X-Tenant-ID", known=TENANTS))
