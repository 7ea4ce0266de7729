"""Group commit: what is acknowledged was written, and nobody pays for another one's fault."""

from __future__ import annotations

import asyncio
import threading

import httpx2
import pytest
from support.otlp_requests import request, span

from tracium.exceptions import StoreError
from tracium.server.app import create_app
from tracium.server.commit import Committer
from tracium.server.otlp import TraceBatch
from tracium.server.receiver import Limits
from tracium.server.refusal import NotWrittenError, OverloadedError


async def test_what_arrives_during_a_write_goes_into_the_next():
    """Many batches make few writes, and each is written once."""
    groups, may_go_on = [], threading.Event()

    def write(bodies):
        groups.append(list(bodies))
        may_go_on.wait(5)

    committer = Committer(write)
    committer.start()
    first = asyncio.create_task(committer.commit(TraceBatch(b"0", 1)))
    await asyncio.sleep(0.05)
    others = [asyncio.create_task(committer.commit(TraceBatch(b"%d" % at, 1))) for at in range(1, 50)]
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in (first, *others))
    may_go_on.set()
    await asyncio.gather(first, *others)
    await committer.close()
    assert [len(group) for group in groups] == [1, 49]


async def test_a_batch_that_the_store_refuses_harms_no_other(caplog):
    """When a group fails, each of its batches is written by itself."""
    written = []

    def write(bodies):
        if b"bad" in bodies:
            raise StoreError("the disk is full")
        written.extend(bodies)

    committer = Committer(write)
    waiting = [asyncio.create_task(committer.commit(TraceBatch(body, 1))) for body in (b"a", b"bad", b"b")]
    await asyncio.sleep(0)
    committer.start()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    await committer.close()
    assert written == [b"a", b"b"]
    assert [type(answer) for answer in answers] == [type(None), NotWrittenError, type(None)]
    assert "the disk is full" in caplog.text


async def test_closing_writes_what_was_taken_and_takes_no_more():
    """A shutdown loses nothing that waits."""
    written = []
    committer = Committer(written.extend)
    committer.start()
    waiting = asyncio.create_task(committer.commit(TraceBatch(b"a", 1)))
    await asyncio.sleep(0)
    await committer.close()
    await waiting
    assert written == [b"a"]
    with pytest.raises(OverloadedError, match="shutting down"):
        await committer.commit(TraceBatch(b"b", 1))


class _StuckStore:
    """A store whose writes wait for an event."""

    def __init__(self):
        self.may_go_on = threading.Event()

    def insert_traces(self, _bodies):
        self.may_go_on.wait(10)


async def test_overload_is_answered_before_anything_is_accepted():
    """With the budget used up a request gets 503 and Retry-After, and the next one after that is taken again."""
    store, body = _StuckStore(), request(span()).SerializeToString()
    app = create_app(store, limits=Limits(waiting_bytes=len(body) * 3 // 2))
    headers = {"Content-Type": "application/x-protobuf"}
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            first = asyncio.create_task(client.post("/v1/traces", content=body, headers=headers))
            await asyncio.sleep(0.1)
            refused = await client.post("/v1/traces", content=body, headers=headers)
            store.may_go_on.set()
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert (await first).status_code == 200
            assert (await client.post("/v1/traces", content=body, headers=headers)).status_code == 200


async def test_a_body_that_does_not_arrive():
    """A client that stalls gives its place back."""
    app = create_app(_StuckStore(), limits=Limits(body_seconds=0.05))

    async def stalled():
        yield b"\n"
        await asyncio.sleep(5)

    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.post(
                "/v1/traces", content=stalled(), headers={"Content-Type": "application/x-protobuf"}
            )
    assert answer.status_code == 408
