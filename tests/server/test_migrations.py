"""A store of each earlier schema opens with this release, and a migration that was interrupted is finished."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.otlp_requests import model_call, request, span

from tracium.exceptions import StoreError
from tracium.server import schema
from tracium.server.location import Server

LAST = len(schema._migrations())
VERSIONS = range(1, LAST)


def run(script, *arguments):
    tests = str(Path(__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=arguments[0],
        check=False,
        env=os.environ | {"PYTHONPATH": tests},
    )


_OPENED = """
import json, os, sys
from pathlib import Path
from support.batches import read_traces
from tracium.server.location import Directory
from tracium.server.scope import TenantScope
from tracium.server.store import Store

ASKED = {
    "spans": "count() AS n FROM otel_traces",
    "requests": "sum(Requests) AS n FROM tracium_requests_15m",
    "errors": "sum(RequestErrors) AS n FROM tracium_requests_15m",
    "error_spans": "uniqExact(TraceId, SpanId) AS n FROM tracium_errors",
    "traces": "uniqMerge(Traces) AS n FROM tracium_requests_15m",
    "calls": "count() AS n FROM tracium_calls",
    "input_tokens": "sum(InputTokens) AS n FROM tracium_calls",
}

def numbers():
    scope = TenantScope.of("acme")
    return {name: store.rows(scope, f"SELECT {sql}")[0]["n"] for name, sql in ASKED.items()}

with Store(Directory(Path(sys.argv[1]) / "data")) as store:
    seen = [numbers()]
    # Another key than that of the same bytes before.
    store.commit([read_traces((Path(sys.argv[1]) / "body").read_bytes(), sender="another")])
    seen.append(numbers() )
print(json.dumps(seen))
"""


def opened(directory):
    """What this release sees when it opens a store, and when it has stored the same request once more."""
    done = run(_OPENED, directory)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


_OLD = """
import sys
from pathlib import Path
from importlib.resources import files
from tracium.server.engine import connect
from tracium.server.location import Directory
from tracium.server.schema import migrate

directory = Directory(Path(sys.argv[1]) / "data")
directory.path.mkdir()
engine = connect(directory)
migrate(engine.write, directory, create=True, limit=int(sys.argv[2]))
engine.write.raw_insert("otlp_traces", insert_block=(Path(sys.argv[1]) / "body").read_bytes(), fmt="ProtobufSingle",
    settings={"format_schema_source": "string", "format_schema_message_name": "Request",
              "format_schema": (files("tracium.server") / "otlp_traces.proto").read_text()})
engine.close()
"""


def sent():
    failed = span("acme")
    failed.status.code = 2
    return request(span("acme"), failed, model_call("acme", tokens=(7, 3)), model_call("acme", tokens=(None, 3)))


EXPECTED = {"spans": 4, "requests": 2, "errors": 1, "error_spans": 1, "traces": 4, "calls": 2, "input_tokens": 7}
# The same spans again are rolled up again; model calls are kept one by one, and each is one row once parts are merged.
TWICE = {"requests": 4, "errors": 2, "traces": 4}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_of_an_earlier_version(tmp_path, version):
    """Its data is there, its roll-ups are made, and it receives."""
    (tmp_path / "body").write_bytes(sent().SerializeToString())
    done = run(_OLD, tmp_path, version)
    assert done.returncode == 0, done.stderr
    _check(tmp_path)


_INTERRUPTED = """
import os, sys
from pathlib import Path
from tracium.server import schema
from tracium.server.engine import connect
from tracium.server.location import Directory

directory = Directory(Path(sys.argv[1]) / "data")
engine = connect(directory)
wanted, how = int(sys.argv[2]), sys.argv[3]
command, done = engine.write.command, 0

def killed(statement, *args, **kwargs):
    global done
    done += 1
    if done == wanted and how == "before":
        os._exit(9)
    answer = command(statement, *args, **kwargs)
    if done == wanted:
        os._exit(9)
    return answer

engine.write.command = killed
schema.migrate(engine.write, directory, create=True)
"""


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.6, 0.8, 1.0])
def test_a_process_that_is_killed_while_it_migrates(tmp_path, share):
    """The next process finishes the migration, data of the version before included, whichever statement was the last."""
    (tmp_path / "body").write_bytes(sent().SerializeToString())
    assert run(_OLD, tmp_path, 2).returncode == 0
    missing = [
        statement
        for number, script in schema._migrations().items()
        if number > 2
        for statement in schema._split(script)
    ]
    at = 1 + round(share * (len(missing) - 1))
    assert run(_INTERRUPTED, tmp_path, at, "after").returncode == 9
    _check(tmp_path)


def _check(directory):
    before, after = opened(directory)
    assert before == EXPECTED
    assert {name: after[name] for name in TWICE} == TWICE


_EVERY_STATEMENT = """
import sys
from pathlib import Path
import clickhouse_connect
from tracium.server import schema
from tracium.server.location import Directory

DESCRIBED = (
    "SELECT name, as_select, engine_full, sorting_key FROM system.tables WHERE database = currentDatabase() ORDER BY name",
    "SELECT table, name, type, default_expression FROM system.columns WHERE database = currentDatabase() ORDER BY table, name",
)
location = Directory(Path(sys.argv[1]))
client = clickhouse_connect.get_client(interface="chdb", path=str(Path(sys.argv[1]) / "store"))
command = client.command

class Interrupted(Exception):
    pass

def interrupted_behind(at):
    done = 0
    def counted(statement, *args, **kwargs):
        nonlocal done
        answer = command(statement, *args, **kwargs)
        # The table of versions is made before, and the version is written behind the last one.
        done += "tracium_schema" not in statement
        if done == at:
            raise Interrupted
        return answer
    client.command = counted
    try:
        schema.migrate(client, location, create=True)
        raise AssertionError("it was not interrupted")
    except Interrupted:
        client.command = command

def in_database(name):
    command(f"CREATE DATABASE {name}")
    command(f"USE {name}")

def shape(name):
    return "".join(repr(client.query(sql).result_rows) for sql in DESCRIBED).replace(f"{name}.", "")

in_database("whole")
schema.migrate(client, location, create=True)
whole = shape("whole")
in_database("broken")
points = 0
for number, script in sorted(schema._migrations().items()):
    for at in range(1, len(schema._split(script)) + 1):
        interrupted_behind(at)
        points += 1
    schema.migrate(client, location, create=True, limit=number)
assert shape("broken") == whole
print(points)
"""


def test_a_migration_that_is_interrupted_behind_any_statement(tmp_path):
    """Applied again it gives the same tables as one that was never interrupted."""
    done = run(_EVERY_STATEMENT, tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(schema.statements())


def test_two_processes_on_one_server(store, monkeypatch):
    """While one prepares a ClickHouse server's tables another one waits, and in the end says what to do."""
    client = store._engine.write
    monkeypatch.setattr(schema, "_PATIENCE_SECONDS", 0)
    server = Server("clickhouse://db:8123/tracium")
    busy = pytest.raises(StoreError, match=rf"prepared by process {os.getpid()} of .* DROP TABLE tracium_migrating")
    with schema._one_at_a_time(client, server), busy, schema._one_at_a_time(client, server):
        raise AssertionError
    with schema._one_at_a_time(client, server):
        pass


def test_tables_of_somebody_else(tmp_path):
    """A table otel_traces that tracium did not make is left alone."""
    script = """
import sys
from pathlib import Path
from tracium.server.engine import connect
from tracium.server.location import Directory
from tracium.server.schema import migrate
directory = Directory(Path(sys.argv[1]))
engine = connect(directory)
engine.write.command("CREATE TABLE otel_traces (a Int8) ENGINE = Memory")
migrate(engine.write, directory, create=True)
"""
    done = run(script, tmp_path)
    assert "already has a table otel_traces that tracium did not make" in done.stderr
