"""An acknowledged batch outlives its server; the command answers with the server running and without."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import threading
from http.client import HTTPException

import pytest
from support.otlp_requests import model_call, request, span
from support.serving import Serving


def usage(data, *options):
    done = subprocess.run(
        [sys.executable, "-m", "tracium", "usage", "--data", str(data), *options],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def tenants(data, *options):
    return {row["tenant"]: row for row in json.loads(usage(data, "--json", *options))["tenants"]}


def send_until(interruption, server, clients=4):
    """Send from several clients, interrupt in the middle, and answer how many spans were acknowledged."""
    acknowledged, enough = [], threading.Event()

    def client(number):
        for at in range(1000):
            try:
                status = server.send(request(*(span(f"tenant-{number}") for _ in range(20))).SerializeToString())[0]
            except (OSError, HTTPException):
                return
            assert status == 200
            acknowledged.append(number)
            if at >= 4:
                enough.set()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    assert enough.wait(30)
    interruption()
    for thread in threads:
        thread.join()
    return 20 * len(acknowledged)


def test_acknowledged_batches_survive_kill_9(tmp_path):
    """In several rounds on one store, every acknowledged span is there afterwards."""
    acknowledged = 0
    for _ in range(3):
        with Serving(tmp_path) as server:
            acknowledged += send_until(server.process.kill, server)
    stored = sum(row["traces"] for row in tenants(tmp_path).values())
    # A batch that was written but whose answer did not get out any more may be there, too.
    assert acknowledged <= stored <= acknowledged + 3 * 4 * 20


def test_usage_with_the_server_running_and_stopped(tmp_path):
    """The same question has the same answer from the running server and from the directory it left."""
    with Serving(tmp_path) as server:
        failed = span("acme")
        failed.status.code = 2
        spans = (failed, span(), model_call("acme", tokens=(1200, 34)), model_call("=cmd()", tokens=(1, None)))
        assert server.send(request(*spans).SerializeToString())[0] == 200
        running = tenants(tmp_path)
        by_url = json.loads(usage(tmp_path, "--url", server.url, "--json", "--tenant", "acme"))["tenants"]
        table = usage(tmp_path, "--since", "1h")
        rows = list(csv.DictReader(usage(tmp_path, "--csv").splitlines()))
        assert server.end() == 0
    stopped = tenants(tmp_path)
    assert running == stopped
    assert by_url == [stopped["acme"]]
    assert (stopped["acme"]["errors"], stopped["acme"]["input_tokens"]) == (1, 1200)
    assert (stopped["=cmd()"]["output_tokens"], stopped["=cmd()"]["unknown_usage"]) == (None, 1)
    assert stopped[None]["traces"] == 1
    assert list(tenants(tmp_path, "--tenant", "=cmd()")) == ["=cmd()"]
    assert [row["tenant"] for row in rows] == ["acme", "'=cmd()", ""]
    assert rows[1]["output_tokens"] == ""
    assert "1,200" in table
    # No column is left out where the table is wider than the terminal.
    assert "p95" in table
    assert "(none)" in table
    assert "unknown" in table


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_answers_what_it_took(tmp_path, number):
    """A signal in the middle of traffic ends the server with exit code 0, and no acknowledged span is missing."""
    with Serving(tmp_path) as server:
        acknowledged = send_until(lambda: server.process.send_signal(number), server)
        assert server.process.communicate(timeout=30)[1] == ""
        assert server.process.returncode == 0
    stored = sum(row["traces"] for row in tenants(tmp_path).values())
    assert stored == acknowledged


def test_a_second_server_in_one_directory(tmp_path):
    """It says who has the directory open, and the first one goes on."""
    with Serving(tmp_path) as server:
        with pytest.raises(
            AssertionError, match=rf"is in use by process {server.process.pid}, which answers at {server.url}"
        ):
            Serving(tmp_path)
        assert server.ask("GET", "/ready")[0] == 200


def test_a_config_xml_in_the_working_directory_is_not_obeyed(tmp_path):
    """The engine starts where a config.xml that is none of ours lies about, and nothing is written there."""
    (tmp_path / "config.xml").write_text("<clickhouse><path>./elsewhere</path><broken")
    with Serving("data", cwd=tmp_path) as server:
        assert server.send(request(span("acme")).SerializeToString())[0] == 200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.xml", "data"]


def test_a_store_of_a_newer_release_is_refused(tmp_path):
    """A downgrade is a sentence, not a broken store."""
    with Serving(tmp_path) as server:
        assert server.end() == 0
    subprocess.run([sys.executable, "-c", _FUTURE, str(tmp_path / "store")], check=True, timeout=60)
    with pytest.raises(AssertionError, match="has schema version 999, made by a newer tracium; this one knows "):
        Serving(tmp_path)


_FUTURE = """
import sys
import clickhouse_connect
with clickhouse_connect.get_client(interface="chdb", path=sys.argv[1]) as client:
    client.command("INSERT INTO tracium_schema (Version) VALUES (999)")
"""
