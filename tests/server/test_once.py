"""What is sent twice is stored once, and what a crash cut in two becomes whole."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

import pytest
from support.batches import read_traces
from support.otlp_requests import model_call, request, span
from support.serving import Serving

from tracium.server.journal import Journal, Note
from tracium.server.parsing import PROTOBUF
from tracium.server.scope import TenantScope


@pytest.fixture
def tenant():
    return f"tenant-{uuid.uuid4()}"


def body(*spans):
    return request(*spans).SerializeToString()


def numbers(store, tenant):
    """Rows, spans in the roll-up, calls and tokens in the roll-up of a tenant."""
    scope = TenantScope.of(tenant)
    (raw,) = store.rows(scope, "SELECT count() AS n FROM otel_traces")
    (spans,) = store.rows(scope, "SELECT sum(Spans) AS n FROM tracium_requests_15m")
    (calls,) = store.rows(scope, "SELECT count() AS n, sum(InputTokens) AS tokens FROM tracium_calls")
    return raw["n"], spans["n"], calls["n"], calls["tokens"] or 0


def test_a_request_that_is_repeated(store, tenant):
    """In one commit and in a later one, the same bytes are stored and counted once; other bytes are not touched."""
    first = read_traces(body(span(tenant), model_call(tenant, tokens=(7, 1))), PROTOBUF)
    other = read_traces(body(model_call(tenant, tokens=(5, 1))), PROTOBUF)
    store.commit([first, first])
    store.commit([first, other])
    store.commit([other])
    assert numbers(store, tenant) == (3, 3, 2, 12)


@pytest.mark.parametrize("end", [b"\0", b"\xff", b" "])
def test_a_request_is_known_whatever_its_key(store, tenant, end):
    """A key that ends with a zero byte, or with another one that a comparison might strip, is found again."""
    made = (read_traces(body(span(tenant)), PROTOBUF) for _ in range(10_000))
    batch = next(one for one in made if one.key.endswith(end))
    store.commit([batch])
    store.commit([batch])
    assert numbers(store, tenant)[:2] == (1, 1)


def test_the_same_bytes_from_another_sender(store, tenant):
    """A sender that may write for one tenant only is not silenced by another one's request."""
    sent = body(span(tenant))
    store.commit([read_traces(sent, PROTOBUF, "a"), read_traces(sent, PROTOBUF, "b")])
    assert numbers(store, tenant)[1] == 2


def test_keys_cannot_be_sent_from_outside(store, tenant):
    """A request that brings the store's own field for keys along silences nobody."""
    victim = read_traces(body(span(tenant)), PROTOBUF)
    field = b"\xc2\x3e\x10" + victim.key
    store.commit([read_traces(body(span(tenant)) + field, PROTOBUF)])
    store.commit([victim])
    assert numbers(store, tenant)[0] == 2


_CRASH = """
import os, sys
from pathlib import Path
from tracium.server import ingest
from tracium.server.access.principal import Principal
from tracium.server.location import Directory
from tracium.server.otlp import read_traces
from tracium.server.parsing import PROTOBUF
from tracium.server.store import Store

data, body, where = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), sys.argv[3]
store = Store(Directory(data))
os.chdir(data)
if where == "in the middle":
    # A view that fails behind one that has written is what a crash between two tables leaves.
    store.write("DETACH TABLE tracium_spans_to_calls")
    store.write("DETACH TABLE tracium_spans_to_requests_15m")
if where == "before":
    ingest.Ingest._insert = lambda *_: os._exit(9)
ingest.Ingest._settle = lambda *_: os._exit(9)
store.commit([read_traces(body, PROTOBUF, Principal.operator()).batch])
"""


@pytest.mark.parametrize("where", ["before", "in the middle", "after"])
def test_a_crash_at_any_point_of_a_write(tmp_path, tenant, where):
    """The next process finishes the write, each table by itself, and the client's own repetition changes nothing."""
    sent = body(span(tenant), model_call(tenant, tokens=(7, 1)))
    (tmp_path / "body").write_bytes(sent)
    crashed = subprocess.run(
        [sys.executable, "-c", _CRASH, str(tmp_path / "data"), str(tmp_path / "body"), where], timeout=60, check=False
    )
    assert crashed.returncode == 9
    with Serving(tmp_path / "data") as server:
        if where == "in the middle":
            assert server.end() == 0
        else:
            assert server.send(sent)[0] == 200
    assert _stored(tmp_path / "data", tenant) == "2 2 1 7"


_COUNT = """
import sys
from pathlib import Path
from tracium.server.location import Directory
from tracium.server.scope import TenantScope
from tracium.server.store import Store

with Store(Directory(Path(sys.argv[1]))) as store:
    scope = TenantScope.of(sys.argv[2])
    for sql in ("count() AS n FROM otel_traces", "sum(Spans) AS n FROM tracium_requests_15m",
                "count() AS n FROM tracium_calls", "sum(InputTokens) AS n FROM tracium_calls"):
        print(store.rows(scope, "SELECT " + sql)[0]["n"], end=" ")
"""


def _stored(data, tenant):
    done = subprocess.run(
        [sys.executable, "-c", _COUNT, str(data), tenant],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=data,
        check=True,
    )
    return done.stdout.strip()


def test_a_repetition_after_a_restart(tmp_path, tenant):
    """The same bytes are known to the next process, too."""
    sent = body(span(tenant), model_call(tenant, tokens=(7, 1)))
    for _ in range(2):
        with Serving(tmp_path) as server:
            assert server.send(sent)[0] == 200
    assert _stored(tmp_path, tenant) == "2 2 1 7"


def test_a_note_that_cannot_be_read(tmp_path, tenant):
    """What this release cannot read of a write that was interrupted is dropped, and the server serves."""
    with Serving(tmp_path) as server:
        assert server.end() == 0
    with Journal(tmp_path / "journal") as journal:
        journal.put(Note("traces", "0" * 32, b"\x0a\xff no request"))
    with Serving(tmp_path) as server:
        assert server.send(body(span(tenant)))[0] == 200
        assert server.end() == 0
    assert _stored(tmp_path, tenant).startswith("1 1")


def test_the_journal(tmp_path):
    """A note comes back whole, a shorter one over a longer one too; one that is torn or cleared does not."""
    with Journal(tmp_path / "journal") as journal:
        assert journal.get() is None
        for note in (Note("traces", "a", os.urandom(100_000)), Note("logs", "b", b"short"), Note("metrics", "c", b"")):
            journal.put(note)
            assert journal.get() == note
        journal.clear()
        assert journal.get() is None
        journal.put(Note("traces", "d", b"x" * 1000))
    whole = (tmp_path / "journal").read_bytes()
    for torn in (whole[:-90_000][:500], whole[:20], whole[:700] + b"y" + whole[701:]):
        (tmp_path / "journal").write_bytes(torn)
        with Journal(tmp_path / "journal") as journal:
            assert journal.get() is None
