"""`tracium store init`: statements that the real parser takes, and that work where the engine can run them."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

PARSE = """
import json, sys
import chdb

wrong = []
for statement in json.load(sys.stdin):
    try:
        chdb.query("EXPLAIN AST " + statement)
    except Exception as error:
        wrong.append([statement[:200], str(error)[:300]])
print(json.dumps(wrong))
"""
# One node in the place of a cluster: the names, the columns and what feeds what are the same.
RUN = """
import json, re, sys, tempfile
from chdb import session

engine = session.Session(tempfile.mkdtemp())
for statement in json.load(sys.stdin):
    statement = statement.replace(" ON CLUSTER `main`", "")
    statement = re.sub(r"ENGINE = Replicated(\\w+)\\('[^']*', '[^']*'(?:, )?", r"ENGINE = \\1(", statement)
    statement = statement.replace("replicated_deduplication_window", "non_replicated_deduplication_window")
    statement = re.sub(r"ENGINE = Distributed\\('main', 'tracium', '(\\w+)', .*\\)$", r"ENGINE = Merge('tracium', '^\\1$')", statement)
    engine.query(statement)
engine.query("INSERT INTO tracium.otel_traces_local (Timestamp, TraceId, SpanId, SpanKind, Duration, SpanAttributes) "
             "VALUES (now64(9), 't', 's', 'Server', 5, map('tenant.id', 'acme'))")
sql = "SELECT (SELECT TenantId FROM tracium.otel_traces), (SELECT sum(Spans) FROM tracium.tracium_requests_15m), " \\
      "(SELECT max(Version) FROM tracium.tracium_schema)"
print(engine.query(sql, "JSONCompact").data())
"""
DSN = "clickhouse://user:secret@127.0.0.1:9/tracium"


def init(*arguments, dsn=DSN):
    command = [sys.executable, "-m", "tracium", "store", "init", "--dsn", dsn, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def statements(*arguments):
    done = init("--print", *arguments)
    assert done.returncode == 0, done.stderr
    assert "secret" not in done.stdout
    return [one.strip() for one in re.split(r";\n", done.stdout) if one.strip()]


def run(script, given):
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(given), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def cluster():
    return statements("--cluster", "main")


READERS = ("--reader", "acme", "--reader", "o'neill`s \\ ; shop", "--reader", "ü")


@pytest.mark.parametrize("arguments", [("--cluster", "main"), READERS, ("--cluster", "main", *READERS)])
def test_the_real_parser_takes_every_statement(arguments):
    """ClickHouse's own, whatever a tenant is called."""
    assert run(PARSE, statements(*arguments)) == []


def test_the_parser_sees_mistakes():
    """So that the test above says something."""
    assert len(run(PARSE, ["CREATE TABL x", "CREATE ROW POLICY p ON CLUSTER USING"])) == 2


def test_a_cluster_has_every_table_of_one_server(cluster):
    """Under the same name; what holds telemetry is spread, all of it is replicated, and nothing is left on one node."""
    made = dict(
        re.findall(
            r"CREATE TABLE IF NOT EXISTS `tracium`\.`(\w+)` ON CLUSTER `main`.* ENGINE = `?(\w+)", "\n".join(cluster)
        )
    )
    spread = {name for name, engine in made.items() if engine == "Distributed"}
    assert {"otel_traces", "otel_logs", "otel_metrics_sum", "tracium_requests_15m", "tracium_calls"} <= spread
    assert {f"{name}_local" for name in spread} <= made.keys()
    assert {engine.removeprefix("Replicated") for name, engine in made.items() if name not in spread} == {
        "MergeTree", "ReplacingMergeTree", "AggregatingMergeTree", "Null",
    }  # fmt: skip
    assert all(
        engine.startswith("Replicated") for name, engine in made.items() if name not in spread and engine != "Null"
    )
    assert {"tracium_tokens", "tracium_prices", "tracium_schema"} <= made.keys() - spread
    assert all("ON CLUSTER `main`" in one for one in cluster if not one.startswith("INSERT"))
    assert "default." not in "\n".join(cluster)


def test_on_one_node_they_work_together(cluster):
    """A span that is written beside its roll-ups is there under the common names, and the version is this release's."""
    from importlib.resources import files

    newest = max(
        int(one.name[:4]) for one in (files("tracium.server") / "migrations").iterdir() if one.name.endswith(".sql")
    )
    (tenant, spans, version), *_ = run(RUN, cluster)["data"]
    assert (tenant, int(spans), int(version)) == ("acme", 1, newest)


def test_a_reader_sees_one_tenant_in_every_table():
    """Each table has a policy for each role, and one that shows nothing to readers of no tenant."""
    made = statements("--reader", "acme", "--reader", "globex")
    granted = re.findall(r"GRANT SELECT ON `tracium`\.`(\w+)` TO tracium_reader", "\n".join(made))
    assert "otel_traces" in granted
    for table in granted:
        policies = [one for one in made if "ROW POLICY" in one and f"`tracium`.`{table}` " in one]
        assert sorted(one.partition(" USING ")[2] for one in policies) == [
            "0 TO tracium_reader",
            "TenantId = 'acme' TO `tracium_reader_of_acme`",
            "TenantId = 'globex' TO `tracium_reader_of_globex`",
        ]
    assert any("CREATE QUOTA" in one and "KEYED BY user_name" in one for one in made)
    assert not set(granted) & {"tracium_tokens", "tracium_audit"}


@pytest.mark.parametrize(
    ("arguments", "dsn", "said"),
    [
        (("--cluster", "a'b", "--print"), DSN, "is no name of a cluster"),
        (("--cluster", "main", "--print"), "clickhouse://h/a`b", "is no name of a database"),
        ((), "chdb:///tmp/x", "is a directory"),
        ((), DSN, "cannot be used"),
    ],
)
def test_what_cannot_be_done_is_said(arguments, dsn, said):
    """In a sentence, without the password."""
    done = init(*arguments, dsn=dsn)
    assert done.returncode == 1
    assert said in done.stderr
    assert "secret" not in done.stderr
