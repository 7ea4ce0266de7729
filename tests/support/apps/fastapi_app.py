"""FastAPI in every way in which a tenant can be set and work can be done."""

import asyncio
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, Request, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from noting import HAND_MADE, async_pieces, is_own, note, noted, pieces, start
from opentelemetry.trace import get_tracer

import tracium
from tracium.frameworks.fastapi import TenantMiddleware

start()
app = FastAPI()
late = set()


def number(request: Request) -> int:
    return int(request.query_params["n"])


Number = Annotated[int, Depends(number)]


def resolve(request):
    return None if is_own(request.url.path) else request.headers.get("X-Tenant-ID")


if HAND_MADE:

    @app.middleware("http")
    async def set_tenant(request: Request, call_next):
        tenant = resolve(request)
        if tenant:
            tracium.set_tenant(tenant)
        response = await call_next(request)
        tracium.set_tenant(None)
        return response

else:
    app.add_middleware(TenantMiddleware, resolver=resolve)


def sync_dependency(request: Request):
    tracium.set_tenant(request.headers.get("X-Tenant-ID"))


async def async_dependency(request: Request):
    tracium.set_tenant(request.headers.get("X-Tenant-ID"))


def sync_yielding(request: Request):
    tracium.set_tenant(request.headers.get("X-Tenant-ID"))
    yield
    note(number(request), "after yield")


async def async_yielding(request: Request):
    tracium.set_tenant(request.headers.get("X-Tenant-ID"))
    yield
    note(number(request), "after yield")


@app.get("/plain")
def plain(n: Number):
    note(n, "endpoint")


@app.get("/async")
async def async_endpoint(n: Number):
    await asyncio.sleep(0)
    note(n, "endpoint")


@app.get("/stream")
async def stream(n: Number):
    return StreamingResponse(async_pieces(n))


@app.get("/events")
def events(n: Number):
    return StreamingResponse((f"data: {piece}\n" for piece in pieces(n)), media_type="text/event-stream")


@app.get("/slow")
async def slow(n: Number):
    async def body():
        async for piece in async_pieces(n):
            yield piece * 10_000
            await asyncio.sleep(0.05)

    return StreamingResponse(body())


@app.get("/background")
def background(n: Number, tasks: BackgroundTasks):
    async def later():
        await asyncio.sleep(0.02)
        note(n, "async background")

    tasks.add_task(note, n, "background")
    tasks.add_task(later)


@app.get("/late")
async def outlived(n: Number):
    async def work():
        await asyncio.sleep(0.1)
        note(n, "late task")

    task = asyncio.create_task(work())
    late.add(task)
    task.add_done_callback(late.discard)


@app.get("/error")
def error(n: Number):
    note(n, "endpoint")
    raise RuntimeError("as asked")


@app.get("/nested")
def nested(n: Number):
    with get_tracer("app").start_as_current_span("outer"), get_tracer("app").start_as_current_span("inner"):
        note(n, "endpoint")


@app.get("/own/endpoint")
async def own(request: Request, n: Number):
    tracium.set_tenant(request.headers.get("X-Tenant-ID"))
    note(n, "endpoint")
    return StreamingResponse(async_pieces(n))


@app.get("/own/nested")
def own_nested(request: Request, n: Number):
    with get_tracer("app").start_as_current_span("outer"), get_tracer("app").start_as_current_span("inner"):
        tracium.set_tenant(request.headers.get("X-Tenant-ID"))
        note(n, "inside")
    note(n, "outside")
    return StreamingResponse(pieces(n))


for name, dependency in (
    ("sync", sync_dependency),
    ("async", async_dependency),
    ("sync-yield", sync_yielding),
    ("async-yield", async_yielding),
):

    @app.get(f"/own/{name}-dependency", dependencies=[Depends(dependency)])
    def with_dependency(n: Number, tasks: BackgroundTasks):
        note(n, "endpoint")
        tasks.add_task(note, n, "background")
        return StreamingResponse(pieces(n), background=tasks)


@app.websocket("/socket")
async def socket(connection: WebSocket):
    await connection.accept()
    n, tenant = int(connection.query_params["n"]), connection.headers.get("X-Tenant-ID")
    if HAND_MADE:
        # A middleware of `@app.middleware("http")` never sees a websocket.
        tracium.set_tenant(tenant)
    async for message in connection.iter_text():
        if message.startswith("tenant "):
            tracium.set_tenant(message.removeprefix("tenant "))
        note(n, message)
        await connection.send_text(f"{tracium.get_current_tenant()}")


@app.get("/noted", response_class=PlainTextResponse)
def what_was_noted():
    return noted()
