"""The FastAPI app: the tenant is set by hand, as the guide does it, or by the ready-made middleware."""

from contextlib import suppress

import wiring
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import PlainTextResponse, StreamingResponse
from traffic import TENANTS

wiring.begin()
app = FastAPI()

if wiring.READY_MADE:
    from tracium.frameworks.fastapi import TenantMiddleware
    from tracium.frameworks.resolvers import from_header

    app.add_middleware(TenantMiddleware, resolver=from_header("X-Tenant-ID", known=TENANTS))
else:

    @app.middleware("http")
    async def tenant_middleware(request: Request, call_next):
        tenant = request.headers.get("X-Tenant-ID")
        if tenant:
            wiring.set_tenant(tenant)
        response = await call_next(request)
        wiring.set_tenant(None)
        return response


@app.get("/plain")
async def plain(id: int):  # noqa: A002 - the parameter's name
    with wiring.work("work", id):
        return PlainTextResponse(str(wiring.get_current_tenant()))


@app.get("/thread")
def thread(id: int):  # noqa: A002
    with wiring.work("work", id):
        return PlainTextResponse(str(wiring.get_current_tenant()))


@app.get("/stream")
async def stream(id: int):  # noqa: A002
    with wiring.work("work", id):
        return StreamingResponse(_parts(id))


async def _parts(request):
    for name in ("first", "second"):
        with wiring.work(name, request):
            part = name
        yield part


@app.get("/raise")
async def fail(id: int):  # noqa: A002
    with wiring.work("work", id):
        pass
    raise ArithmeticError(id)


@app.websocket("/ws")
async def websocket(socket: WebSocket, id: int):  # noqa: A002
    tenant = socket.headers.get("X-Tenant-ID")
    if tenant and not wiring.READY_MADE:
        wiring.set_tenant(tenant)
    await socket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
            with wiring.work("work", id):
                await socket.send_text(str(wiring.get_current_tenant()))
