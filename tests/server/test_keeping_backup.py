"""A backup that is made while the server receives holds one moment, and a store comes out of it."""

from __future__ import annotations

import itertools
import threading

import pytest
from support.otlp_requests import model_call, request, span
from support.serving import Serving
from support.storing import everything, run_store


def test_a_backup_while_receiving(tmp_path):
    """What was acknowledged before is in it, no request is in it by half, and its roll-ups agree with its spans."""
    stop, acknowledged = threading.Event(), itertools.count()
    with Serving(tmp_path / "data") as server:

        def send():
            while not stop.is_set():
                spans = (span("acme"), model_call("acme", tokens=(7, 1)), *(span("acme") for _ in range(18)))
                assert server.send(request(*spans).SerializeToString())[0] == 200
                next(acknowledged)

        threads = [threading.Thread(target=send) for _ in range(3)]
        for thread in threads:
            thread.start()
        while next(acknowledged) < 10:
            stop.wait(0.05)
        before = next(acknowledged) - 1
        said = run_store("backup", tmp_path / "backup", data=tmp_path / "data")
        stop.set()
        for thread in threads:
            thread.join()
        assert not list((tmp_path / "data" / "store" / "shadow").glob("tracium_*"))
        assert server.end() == 0
    assert said.startswith("Backed up ")
    assert "Restored " in run_store("restore", tmp_path / "backup", data=tmp_path / "again")
    tables = _numbers(tmp_path / "again")
    assert tables["spans"] == tables["rolled_up"] >= 20 * (before // 4)
    assert tables["spans"] == 20 * tables["calls"]
    with Serving(tmp_path / "again") as server:
        assert server.send(request(span("acme")).SerializeToString())[0] == 200
        assert server.ask("GET", "/ready")[0] == 200
        server.end()
    assert _numbers(tmp_path / "again")["spans"] == tables["spans"] + 1


def test_a_restored_store_is_equal(tmp_path):
    """Every table has the same rows."""
    with Serving(tmp_path / "data") as server:
        for _ in range(5):
            spans = (span("acme"), span(), model_call("acme", tokens=(7, None)))
            assert server.send(request(*spans).SerializeToString())[0] == 200
        server.end()
    run_store("retention", "set", "spans", "90d", "--tenant", "acme", data=tmp_path / "data")
    run_store("backup", tmp_path / "backup", data=tmp_path / "data")
    run_store("restore", tmp_path / "backup", data=tmp_path / "again")
    assert everything(tmp_path / "again") == everything(tmp_path / "data")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("backup", "{tmp}/full"), "exists and is not empty"),
        (("restore", "{tmp}/full"), "is no backup, or one that was not finished"),
        (("restore", "{tmp}/none"), "is no backup, or one that was not finished"),
    ],
)
def test_a_wrong_path(tmp_path, arguments, said):
    """It is refused with a sentence, and nothing is touched."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    done = run_store(*(one.format(tmp=tmp_path) for one in arguments), data=tmp_path / "data", check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["file"]


def test_a_store_is_not_overwritten(tmp_path):
    """Restoring goes where no store is."""
    with Serving(tmp_path / "data") as server:
        server.end()
    run_store("backup", tmp_path / "backup", data=tmp_path / "data")
    done = run_store("restore", tmp_path / "backup", data=tmp_path / "data", check=False)
    assert done.returncode == 1
    assert "there is a store in" in done.stderr


def _numbers(data):
    import json
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", _NUMBERS, str(data)], capture_output=True, text=True, timeout=60, cwd=data, check=True
    )
    return json.loads(done.stdout)


_NUMBERS = """
import json, sys
from pathlib import Path
from tracium.server.location import Directory
from tracium.server.scope import TenantScope
from tracium.server.store import Store

asked = {"spans": "count() AS n FROM otel_traces", "calls": "count() AS n FROM tracium_calls",
         "rolled_up": "sum(Spans) AS n FROM tracium_requests_15m"}
with Store(Directory(Path(sys.argv[1]))) as store:
    print(json.dumps({name: store.rows(TenantScope.all(), f"SELECT {sql}")[0]["n"] for name, sql in asked.items()}))
"""
