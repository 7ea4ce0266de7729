"""What is past its retention is hidden at once and then deleted, and nothing else is."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from support.otlp_requests import model_call, request, span
from support.serving import Serving
from support.storing import run_store

from tracium.server.keeping.held import Signal
from tracium.server.keeping.rules import DEFAULT_DAYS, Rules, cutoff, utc_now

DAY_NS = 86_400 * 10**9


def ago(days):
    return time.time_ns() - days * DAY_NS


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A store in which three tenants each have a span of today, of 10, 40 and 70 days ago, seen after each step."""
    data = tmp_path_factory.mktemp("kept")
    with Serving(data) as server:
        spans = [model_call(tenant, end=ago(days)) for tenant in ("a", "b", "c") for days in (0, 10, 40, 70)]
        assert server.send(request(*spans).SerializeToString())[0] == 200
        server.end()
    return data


def look(data, *steps):
    """Take steps in a process of its own; answer after each what is seen, what is there and what is rolled up."""
    done = subprocess.run(
        [sys.executable, "-c", _LOOK, str(data), json.dumps(steps)],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=data,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(step) for step in json.loads(done.stdout)]


_LOOK = """
import json, sys
from pathlib import Path
from tracium.server.keeping.expiry import Expiry
from tracium.server.keeping.held import Signal
from tracium.server.keeping.rules import Retention
from tracium.server.location import Directory
from tracium.server.scope import TenantScope
from tracium.server.store import Store

COUNT = "SELECT TenantId, count() AS n FROM otel_traces GROUP BY TenantId ORDER BY TenantId"
CALLS = "SELECT count() AS n FROM tracium_calls"
seen = []
with Store(Directory(Path(sys.argv[1]))) as store:
    for step in json.loads(sys.argv[2]):
        if step == "apply":
            Expiry(store).tidy()
        elif step:
            signal, tenant, days = step
            Retention(store).set(Signal(signal), tenant, days)
        visible = {row["TenantId"]: row["n"] for row in store.rows(TenantScope.all(), COUNT)}
        there = {row["TenantId"]: row["n"] for row in store.maintenance.rows(COUNT)}
        seen.append((visible, there, store.rows(TenantScope.all(), CALLS)[0]["n"]))
    print(json.dumps(seen))
"""


def test_spans_go_by_the_rules(kept):
    """Whole days go when no tenant keeps them; a tenant's own rule, longer or shorter, moves its own rows only."""
    after = look(
        kept,
        None,
        ["spans", "a", 60],
        ["spans", "b", 5],
        "apply",
        "apply",
        ["spans", "a", None],
        "apply",
    )
    # The server has deleted at its start, and again when it was started: what was sent late is hidden until then.
    assert after[0][0] == {"a": 2, "b": 2, "c": 2}
    assert after[1][0] == {"a": 3, "b": 2, "c": 2}
    assert after[2][0] == {"a": 3, "b": 1, "c": 2}
    assert after[3][:2] == after[4][:2] == ({"a": 3, "b": 1, "c": 2}, {"a": 3, "b": 1, "c": 2})
    assert after[6][:2] == ({"a": 2, "b": 1, "c": 2}, {"a": 2, "b": 1, "c": 2})
    # Roll-ups are kept by a rule of their own.
    assert {step[2] for step in after} == {12}


def test_a_running_server_applies_it(tmp_path):
    """At its start a server deletes what is due, and through it a rule holds at once."""
    with Serving(tmp_path) as server:
        assert server.send(request(span("a", end=ago(40)), span("a", end=ago(3))).SerializeToString())[0] == 200
        server.end()
    with Serving(tmp_path) as server:
        deadline = time.monotonic() + 30
        while _rows(tmp_path) != 1 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert _rows(tmp_path) == 1
        assert "2 days" in run_store("retention", "set", "spans", "2", data=tmp_path)
        assert "1 whole days or months" in run_store("retention", "apply", data=tmp_path)
        assert _rows(tmp_path) == 0
        assert "30 days (default)" in run_store("retention", "unset", "spans", data=tmp_path)
        audit = server.ask("GET", "/api/v1/audit")[2].decode()
        assert {"retention.set", "retention.apply"} <= {entry["action"] for entry in json.loads(audit)["entries"]}


def _rows(data):
    sizes = json.loads(run_store("size", "--json", data=data))
    return next((table["rows"] for table in sizes["tables"] if table["table"] == "otel_traces"), 0)


def test_defaults():
    """Spans, logs and metrics are kept for 30 days, roll-ups for 25 months."""
    assert {signal.value: days for signal, days in DEFAULT_DAYS.items()} == {
        "spans": 30,
        "logs": 30,
        "metrics": 30,
        "rollups": 761,
    }
    assert all(rule.is_default and rule.tenant is None for rule in Rules().listed())
    assert Rules({Signal.LOGS: {"acme": 900}}).longest() == 900


def test_tenants_names_are_literals():
    """A name that looks like SQL is a name in a rule, too."""
    name = "a', now()) OR ('1'='1"
    sql = cutoff({"": 30, name: 5}, "TenantId", utc_now())
    assert name not in sql
    # One for the name, and two time zones.
    assert sql.count("'") == 2 * 3
