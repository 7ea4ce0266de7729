"""Any number of `tracium serve --dsn` on one ClickHouse; it is the embedded engine's SQL behind a server's protocol."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.clickhouse_server import clickhouse_server
from support.otlp_requests import model_call, request, span
from support.otlp_signals import log_request, record
from support.serving import Serving


@pytest.fixture(scope="module")
def dsn(tmp_path_factory):
    with clickhouse_server(tmp_path_factory.mktemp("clickhouse")) as url:
        yield url


@pytest.fixture(scope="module")
def replicas(dsn):
    with Serving(None, "--dsn", dsn, "--no-grpc") as one, Serving(None, "--dsn", dsn, "--no-grpc") as other:
        yield one, other


def tenants(server, **headers):
    status, _, answer = server.ask("GET", "/api/v1/tenants?from=1h", headers=headers)
    assert status == 200, answer
    return {row["tenant"]: row for row in json.loads(answer)["rows"]}


def test_what_one_takes_the_other_answers(replicas):
    """Spans, roll-ups and cost are the same from each; a request that is repeated at the other one is stored once."""
    one, other = replicas
    call = model_call("replicated", tokens=(1_000_000, 0))
    for key, value in (("gen_ai.provider.name", "openai"), ("gen_ai.response.model", "gpt-4o-mini-2024-07-18")):
        call.attributes.add(key=key).value.string_value = value
    sent = request(span("replicated"), call).SerializeToString()
    for server in (one, other, one):
        assert server.send(sent)[0] == 200
    assert tenants(one)["replicated"] == tenants(other)["replicated"]
    found = tenants(other)["replicated"]
    assert (found["traces"], found["model_calls"], found["input_tokens"]) == (2, 1, 1_000_000)
    assert float(found["cost"]) == 0.15
    assert other.ask("GET", f"/api/v1/traces/{call.trace_id.hex()}")[0] == 200


def test_logs_are_taken_too(replicas):
    """The other signals go the same way."""
    status, _, answer = replicas[0].send(log_request(record("replicated")).SerializeToString(), path="/v1/logs")
    assert status == 200, answer


def test_a_bad_request_harms_no_other(replicas):
    """What cannot be read is refused alone."""
    assert replicas[0].send(b"\xff" * 20)[0] == 400
    assert replicas[0].send(request(span("still")).SerializeToString())[0] == 200


def test_usage_asks_the_server_itself(replicas, dsn):
    """`tracium usage --dsn` needs no `tracium serve`."""
    command = [sys.executable, "-m", "tracium", "usage", "--dsn", dsn, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "replicated" in {row["tenant"] for row in json.loads(done.stdout)["tenants"]}


def test_tokens_hold_at_every_replica(replicas, dsn):
    """One that is made on the store is asked for at all of them, sees its tenant only, and is revoked at all of them."""

    def token(*arguments):
        command = [sys.executable, "-m", "tracium", "token", *arguments, "--dsn", dsn]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    made = token("create", "--kind", "read", "--tenant", "replicated", "--name", "theirs")
    secret = next(word for word in made.split() if word.startswith("tracium_"))
    headers = {"Authorization": f"Bearer {secret}"}
    for server in replicas:
        for _ in range(100):
            if server.ask("GET", "/api/v1/tenants?from=1h")[0] == 401:
                break
        else:
            pytest.fail("the token is not known there")
        assert set(tenants(server, **headers)) == {"replicated"}
