"""An aiohttp app that was made before `tracium.trace()`, with an app in it; it takes its port as argument."""

from __future__ import annotations

import json
import sys

from aiohttp.web import Application, HTTPForbidden, Response, StreamResponse, WebSocketResponse, middleware, run_app
from opentelemetry.trace import get_current_span, get_tracer

import tracium

current = []


def note(request, where):
    number = int(request.query.get("n", -1))
    with get_tracer("app").start_as_current_span(where, attributes={"request": number}):
        current.append(
            (number, where, tracium.get_current_tenant(), f"{get_current_span().get_span_context().trace_id:032x}")
        )


def enter(request, where):
    note(request, f"{where} begins")
    if tenant := request.headers.get("X-Tenant-ID"):
        tracium.set_tenant(tenant)
    note(request, where)


async def plain(request):
    enter(request, "plain")
    return Response(text=tracium.get_current_tenant() or "")


async def pieces(request):
    for _ in range(3):
        note(request, "body")
        yield b"piece\n"


async def body(request):
    enter(request, "handler")
    return Response(body=pieces(request))


async def stream(request):
    enter(request, "stream")
    response = StreamResponse()
    await response.prepare(request)
    for _ in range(3):
        note(request, "piece")
        await response.write(b"piece\n")
    return response


async def websocket(request):
    enter(request, "websocket")
    socket = WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        note(request, "message")
        await socket.send_str(message.data)
    return socket


async def refuse(request):
    enter(request, "refuse")
    raise HTTPForbidden(text="no")


async def fail(request):
    enter(request, "fail")
    raise ZeroDivisionError


async def noted(request):
    return Response(text=json.dumps(current))


async def prepare(request, response):
    if request.path != "/noted":
        note(request, "prepare")


@middleware
async def mine(request, handler):
    if request.path == "/noted":
        return await handler(request)
    note(request, "middleware")
    return await handler(request)


app = Application(middlewares=(mine,))
inner = Application()
for path, handler in {"/plain": plain, "/body": body, "/stream": stream, "/refuse": refuse, "/fail": fail}.items():
    app.router.add_get(path, handler)
    inner.router.add_get(path, handler)
app.router.add_get("/websocket", websocket)
app.router.add_get("/noted", noted)
app.on_response_prepare.append(prepare)
app.add_subapp("/inner", inner)

if __name__ == "__main__":
    tracium.trace()
    with tracium.tenant("server-start"):
        run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
