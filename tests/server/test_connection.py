"""Bounds of a connection, which no request of a well-meant client meets."""

from __future__ import annotations

import asyncio
import contextlib

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.server import ServerState

from tracium.server.connection import Connection

APP = Starlette(routes=[Route("/", lambda _request: PlainTextResponse("fine"))])


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
            assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 400")


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
