"""Groups that are written side by side: each request once, and nothing beside what wants to be alone."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.batches import read_traces
from support.otlp_requests import model_call, request, span

from tracium.server.parsing import PROTOBUF
from tracium.server.scope import TenantScope


@pytest.fixture
def tenant():
    return f"tenant-{uuid.uuid4()}"


def batches(tenant, count):
    return [read_traces(request(span(tenant)).SerializeToString(), PROTOBUF) for _ in range(count)]


def spans_in_roll_up(store, tenant):
    (row,) = store.rows(TenantScope.of(tenant), "SELECT sum(Spans) AS n FROM tracium_requests_15m")
    return row["n"]


def test_a_request_that_is_sent_twice_at_once(store, tenant):
    """Of the same request in groups that several threads write at the same time one is stored."""
    made = batches(tenant, 12)
    groups = [made[at % 10 : at % 10 + 3] for at in range(40)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(store.commit, groups))
    assert spans_in_roll_up(store, tenant) == len(made)


def test_groups_are_written_side_by_side(store, tenant):
    """A group does not wait for another one, as long as a connection is free."""
    one, other = batches(tenant, 2)
    with store._writers.one({one.key}):
        store.commit([other])
        assert spans_in_roll_up(store, tenant) == 1


def test_a_request_waits_for_itself(store, tenant):
    """While a request is being written, the same one begins nowhere else."""
    (one,) = batches(tenant, 1)
    with store._writers.one({one.key}):
        thread = threading.Thread(target=store.commit, args=([one],))
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        assert spans_in_roll_up(store, tenant) == 0
    thread.join()
    assert spans_in_roll_up(store, tenant) == 1


def test_alone(store, tenant):
    """Who is alone may write, others wait until it is over; it begins when no write is on its way."""
    mine, other = batches(tenant, 2)
    begun, over = threading.Event(), threading.Event()

    def be_alone():
        with store.alone(), store.alone():
            begun.set()
            store.commit([mine])
            over.wait(10)

    with store._writers.one():
        alone = threading.Thread(target=be_alone)
        alone.start()
        assert not begun.wait(0.2)
    assert begun.wait(10)
    writing = threading.Thread(target=store.commit, args=([other],))
    writing.start()
    writing.join(0.2)
    assert writing.is_alive()
    over.set()
    alone.join()
    writing.join()
    assert spans_in_roll_up(store, tenant) == 2


_SCRIPT = """
import os, sys
from pathlib import Path
from tracium.exceptions import StoreError
from tracium.server import ingest
from tracium.server.access.principal import Principal
from tracium.server.location import Directory
from tracium.server.otlp import read_traces
from tracium.server.parsing import PROTOBUF
from tracium.server.scope import TenantScope
from tracium.server.store import Store

def fail(*_):
    raise OSError("the disk is full")

data, tenant, what = Path(sys.argv[1]), sys.argv[3], sys.argv[4]
batch = read_traces(Path(sys.argv[2]).read_bytes(), PROTOBUF, Principal.operator()).batch
store = Store(Directory(data))
os.chdir(data)
if what == "tear":
    # Two tables are not written, and nobody is told that the others are.
    settle, ingest.Ingest._settle = ingest.Ingest._settle, fail
    for view in ("tracium_spans_to_calls", "tracium_spans_to_requests_15m"):
        store.write(f"DETACH TABLE {view}")
    try:
        store.commit([batch])
    except StoreError:
        print("torn")
    for view in ("tracium_spans_to_calls", "tracium_spans_to_requests_15m"):
        store.write(f"ATTACH TABLE {view}")
    ingest.Ingest._settle = settle
    # The connection with the torn write is taken: the other one must not believe that nothing was written.
    torn = next(writer for writer in store._writers._all if writer._doubtful)
    store._writers._free.sort(key=lambda writer: writer is not torn)
    store.commit([batch])
if what == "crash":
    ingest.Ingest._settle = lambda *_: os._exit(9)
    with store._writers.one():
        store.commit([batch])
for sql in ("count() AS n FROM otel_traces", "sum(Spans) AS n FROM tracium_requests_15m",
            "count() AS n FROM tracium_calls"):
    print(store.rows(TenantScope.of(tenant), "SELECT " + sql)[0]["n"])
"""


def run(tmp_path, tenant, what):
    (tmp_path / "body").write_bytes(request(span(tenant), model_call(tenant, tokens=(7, 1))).SerializeToString())
    command = [sys.executable, "-c", _SCRIPT, str(tmp_path / "data"), str(tmp_path / "body"), tenant, what]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_what_was_torn_is_finished_first(tmp_path, tenant):
    """A request whose write was torn, and that comes again through the other connection, is stored once and whole."""
    done = run(tmp_path, tenant, "tear")
    assert done.stdout.split() == ["torn", "2", "2", "1"], done.stderr


def test_a_crash_beside_another_write(tmp_path, tenant):
    """What any of the connections was writing when the process died is finished by the next one."""
    assert run(tmp_path, tenant, "crash").returncode == 9
    assert run(tmp_path, tenant, "look").stdout.split() == ["2", "2", "1"]
