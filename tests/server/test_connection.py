"""Bounds of a connection, which no request of a well-meant client meets."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from uvicorn.server import ServerState

from tracium.server.connection import Connection

LARGE = b"x" * 2**20


async def told(request):
    """What the server takes for the request's headers, after its body."""
    await request.body()
    return PlainTextResponse(f"{request.headers.getlist('host')} {request.headers.get('x-late')} fine")


APP = Starlette(
    routes=[
        Route("/", lambda _request: PlainTextResponse("fine")),
        Route("/told", told, methods=["POST"]),
        Route("/large", lambda _request: StreamingResponse(LARGE for _ in range(64))),
    ]
)


@contextlib.asynccontextmanager
async def listening(**bounds):
    """A server with a connection's bounds; answers what opens a connection to it."""
    protocol = type("Bounded", (Connection,), bounds)
    config = uvicorn.Config(APP, http=protocol, log_level="critical")
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(lambda: protocol(config, state, {}), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    opened = []

    async def connect():
        reader, writer = await asyncio.open_connection(host, port)
        opened.append(writer)
        return reader, writer

    try:
        yield connect
    finally:
        for writer in opened:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        server.close()
        await server.wait_closed()


async def ask(reader, writer):
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return await reader.readuntil(b"fine")


async def test_a_head_that_never_ends():
    """A connection that sends nothing, and one that sends a head bit by bit, are closed; an answered one as well."""
    async with listening(head_seconds=0.1) as connect:
        for begin in (b"", b"GET / HTTP/1.1\r\nHost: local"):
            reader, writer = await connect()
            writer.write(begin)
            assert await asyncio.wait_for(reader.read(), 10) == b""
        reader, writer = await connect()
        assert (await ask(reader, writer)).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HT")
        assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_a_head_that_is_too_large():
    """A head longer than any honest one is bad."""
    async with listening(head_bytes=100) as connect:
        for head in (b"GET /" + b"x" * 200, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 200 + b"\r\n\r\n"):
            reader, writer = await connect()
            writer.write(head)
            answer = await asyncio.wait_for(reader.read(), 10)
            assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n")
            assert answer.endswith(b'{"error": "Invalid HTTP request received. Its head has at most 100 bytes."}')


async def test_too_many_connections():
    """One too many is sent away with the time to come back at, and may come when another one has gone."""
    async with listening(most_connections=1) as connect:
        first_reader, first_writer = await connect()
        await ask(first_reader, first_writer)
        reader, _ = await connect()
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Retry-After: 1\r\n" in answer
        first_writer.close()
        await first_writer.wait_closed()
        await asyncio.sleep(0.05)
        assert (await ask(*await connect())).startswith(b"HTTP/1.1 200")


GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = GET + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "rest", "drop"),
    [
        (GET + b"Content-Length: 999999\r\n\r\n", b"", b"x"),
        (CHUNKED, b"", b"1\r\nx\r\n"),
        (CHUNKED + b"5;", b"", b"extended"),
        (GET + b"Content-Length: 1\r\n\r\n", b"x", b""),
        (GET + b"\r\n", b"", b"\r\n"),
    ],
    ids=["announced", "chunks", "an extension of a chunk", "after the answer", "empty lines"],
)
async def test_a_body_that_never_ends(head, rest, drop):
    """What nobody reads is not waited for without end, nor is what comes after an answer and is no request."""
    async with listening(body_seconds=0.1, head_seconds=0.2) as connect:
        reader, writer = await connect()
        writer.write(head)
        await reader.readuntil(b"fine")
        writer.write(rest)
        dripping = asyncio.create_task(drip(writer, drop))
        assert await asyncio.wait_for(reader.read(), 4) == b""
        dripping.cancel()


async def drip(writer, part):
    while True:
        writer.write(part)
        await asyncio.sleep(0.02)


async def test_an_answer_that_is_not_read():
    """A client that asks and does not read is cut off."""
    async with listening(answer_seconds=0.1) as connect:
        _, writer = await connect()
        # Less than the answer fits into what lies between.
        writer.transport.pause_reading()
        writer.write(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(10):
            while not writer.transport.is_closing():
                with contextlib.suppress(ConnectionError):
                    writer.write(b"\r\n")
                    await writer.drain()
                await asyncio.sleep(0.02)


async def test_a_header_behind_the_body():
    """What a proxy has not looked at is no header."""
    async with listening() as connect:
        reader, writer = await connect()
        writer.write(
            b"POST /told HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1\r\nx\r\n0\r\nX-Late: yes\r\nHost: evil\r\n\r\n"
        )
        assert (await reader.readuntil(b"fine")).endswith(b"['localhost'] None fine")


async def test_a_target_that_names_a_host():
    """It counts, whatever the Host header says."""
    async with listening() as connect:
        for target, host in ((b"http://a.example/told?x", b"a.example"), (b"http://[::1]:80/told", b"[::1]:80")):
            reader, writer = await connect()
            writer.write(b"POST " + target + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
            assert (await reader.readuntil(b"fine")).endswith(b"['" + host + b"'] None fine")
