"""Group commit: what is acknowledged was written, and nobody pays for another one's fault."""

from __future__ import annotations

import asyncio
import threading

import httpx2
import pytest
from support.otlp_requests import request, span

from tracium.exceptions import StoreError
from tracium.server.app import create_app
from tracium.server.batch import Batch
from tracium.server.commit import Committer
from tracium.server.ingest import UnreadableError
from tracium.server.intake import Limits
from tracium.server.maintenance import Maintenance
from tracium.server.refusal import BadBodyError, NotWrittenError, OverloadedError


def batch(body, signal="traces"):
    return Batch(signal, body, 1, body.ljust(16, b"\0"))


async def test_what_arrives_during_a_write_goes_into_the_next():
    """Many batches make few writes, and each is written once."""
    groups, may_go_on = [], threading.Event()

    def write(bodies):
        groups.append(list(bodies))
        may_go_on.wait(5)

    committer = Committer(write)
    committer.start()
    first = asyncio.create_task(committer.commit(batch(b"0")))
    await asyncio.sleep(0.05)
    others = [asyncio.create_task(committer.commit(batch(b"%d" % at))) for at in range(1, 50)]
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in (first, *others))
    may_go_on.set()
    await asyncio.gather(first, *others)
    await committer.close()
    assert [len(group) for group in groups] == [1, 49]


async def test_a_group_that_is_large_enough_does_not_wait():
    """Beside a write that is on its way a large group begins, a small one does not; no more than allowed at once."""
    groups, may_go_on = [], threading.Event()

    def write(batches):
        groups.append([one.body for one in batches])
        may_go_on.wait(5)

    def large(body):
        return Batch("traces", body, 30_000, body.ljust(16, b"\0"))

    committer = Committer(write, 2)
    committer.start()
    tasks = []
    for sent in (batch(b"1"), batch(b"2"), large(b"3"), large(b"4"), batch(b"5")):
        tasks.append(asyncio.create_task(committer.commit(sent)))
        await asyncio.sleep(0.1)
    assert groups == [[b"1"], [b"2", b"3"]]
    may_go_on.set()
    await asyncio.gather(*tasks)
    await committer.close()
    assert groups[2:] == [[b"4", b"5"]]


async def test_a_batch_that_the_store_cannot_read_harms_no_other():
    """When a group cannot be read, each of its batches is written by itself, and one is told that it is bad."""
    written = []

    def write(batches):
        if any(one.body == b"bad" for one in batches):
            raise UnreadableError("it is no protobuf")
        written.extend(one.body for one in batches)

    committer = Committer(write)
    waiting = [asyncio.create_task(committer.commit(batch(body))) for body in (b"a", b"bad", b"b")]
    await asyncio.sleep(0)
    committer.start()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    await committer.close()
    assert written == [b"a", b"b"]
    assert [type(answer) for answer in answers] == [type(None), BadBodyError, type(None)]


async def test_a_store_that_cannot_write_is_said(caplog):
    """A full disk is everybody's fault alike: all of the group are asked to come again, and the log says why."""

    def write(_batches):
        raise StoreError("the disk is full")

    committer = Committer(write)
    waiting = [asyncio.create_task(committer.commit(batch(body))) for body in (b"a", b"b")]
    await asyncio.sleep(0)
    committer.start()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    await committer.close()
    assert [type(answer) for answer in answers] == [NotWrittenError, NotWrittenError]
    assert "the disk is full" in caplog.text


async def test_each_signal_is_written_by_itself():
    """A group has batches of one signal, the longest waiting first, and none is left behind."""
    groups = []
    committer = Committer(lambda batches: groups.append([one.body for one in batches]))
    waiting = [
        asyncio.create_task(committer.commit(batch(body, signal)))
        for body, signal in ((b"1", "traces"), (b"2", "logs"), (b"3", "traces"), (b"4", "metrics"))
    ]
    await asyncio.sleep(0)
    committer.start()
    await asyncio.gather(*waiting)
    await committer.close()
    assert groups == [[b"1", b"3"], [b"2"], [b"4"]]


async def test_closing_writes_what_was_taken_and_takes_no_more():
    """A shutdown loses nothing that waits."""
    written = []
    committer = Committer(written.extend)
    committer.start()
    waiting = asyncio.create_task(committer.commit(batch(b"a")))
    await asyncio.sleep(0)
    await committer.close()
    await waiting
    assert [one.body for one in written] == [b"a"]
    with pytest.raises(OverloadedError, match="shutting down"):
        await committer.commit(batch(b"b"))


class _StuckStore:
    """A store whose writes wait for an event."""

    def __init__(self, store):
        self._store = store
        self.maintenance = Maintenance(store._engine.maintain)
        self.may_go_on = threading.Event()

    def __getattr__(self, name):
        return getattr(self._store, name)

    def commit(self, _batches):
        self.may_go_on.wait(10)

    def rows(self, scope, sql, parameters=None):
        """It has no tokens, whatever other tests made in the store."""
        if "tracium_tokens" in sql:
            return [{"made": 0, "revoked": 0}] if "count()" in sql else []
        return self._store.rows(scope, sql, parameters)


async def test_overload_is_answered_before_anything_is_accepted(store):
    """With the budget used up a request gets 503 and Retry-After, and the next one after that is taken again."""
    stuck, body = _StuckStore(store), request(span()).SerializeToString()
    app = create_app(stuck, limits=Limits(waiting_bytes=len(body) * 3 // 2))
    headers = {"Content-Type": "application/x-protobuf"}
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            first = asyncio.create_task(client.post("/v1/traces", content=body, headers=headers))
            await asyncio.sleep(0.1)
            refused = await client.post("/v1/traces", content=body, headers=headers)
            stuck.may_go_on.set()
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert (await first).status_code == 200
            assert (await client.post("/v1/traces", content=body, headers=headers)).status_code == 200


async def test_a_body_that_does_not_arrive(store):
    """A client that stalls gives its place back."""
    app = create_app(_StuckStore(store), limits=Limits(body_seconds=0.05))

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
