"""`tracium demo`, as a user runs it: real backend, real app, real client, real traffic."""

from __future__ import annotations

import re
import signal
import subprocess
import time

import pytest
from support.app import BIN, environment
from support.model_server import model_server

TRACIUM = str(BIN / "tracium")
REQUESTS = 51


def rows(output):
    """The numbers of the table, by tenant; a long name is folded into further lines."""
    found = {}
    for line in output.splitlines():
        cells = re.split(r"\s{2,}", line.strip())
        if len(cells) == 9 and cells[1].replace(",", "").isdigit():
            found[cells[0]] = cells[1:]
    return found


@pytest.fixture(scope="module")
def ran():
    return subprocess.run(
        [TRACIUM, "demo", "--once", "--requests", str(REQUESTS)],
        env=environment(COLUMNS="120"),
        capture_output=True,
        text=True,
        timeout=110,
    )


def test_it_prints_what_each_tenant_did_and_ends(ran):
    """Every request is in the table, and nobody is in another's row."""
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    table = rows(ran.stdout)
    assert len(table) == 6, ran.stdout
    # a round of 17 requests, three times
    assert {tenant: int(cells[0]) for tenant, cells in table.items()} == {
        "hooli": 27,
        "acme-corp": 6,
        "globex": 6,
        "initech": 6,
        "org_123:workspace_456": 3,
        "(none)": 3,
    }


def test_errors_and_unknown_usage_are_shown_where_they_are(ran):
    """One customer meets errors; a stream without usage makes a lower bound."""
    table = rows(ran.stdout)
    assert {tenant for tenant, cells in table.items() if cells[5] != "0"} == {"initech"}
    assert "≥" in table["org_123:workspace_456"][2]
    assert "≥" not in table["hooli"][2]
    # what its tokens cost is known to that bound, too
    assert table["org_123:workspace_456"][4].startswith("≥ $")
    assert table["hooli"][4].startswith("$")


def test_it_leaves_the_backend_up_until_it_is_interrupted():
    """The address is printed, and `usage` gets its answer there."""
    with subprocess.Popen(
        [TRACIUM, "demo", "--requests", "6"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            for line in process.stdout:
                if found := re.search(r"backend is up at (http://127\.0\.0\.1:\d+)", line):
                    break
            asked = subprocess.run(
                [TRACIUM, "usage", "--url", found[1], "--tenant", "acme-corp", "--csv"],
                env=environment(),
                capture_output=True,
                text=True,
                timeout=30,
            )
            assert asked.stdout.splitlines()[1].startswith("acme-corp,"), asked.stderr
            begun = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
            assert time.monotonic() - begun < 20
        finally:
            process.kill()


def test_live_needs_a_key():
    """Only --live asks the real model; without a key it says so at once."""
    env = environment()
    env.pop("OPENAI_API_KEY", None)
    ended = subprocess.run([TRACIUM, "demo", "--live"], env=env, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert ended.stderr.startswith("tracium: OPENAI_API_KEY is not set")


def test_live_uses_the_users_own_model():
    """OPENAI_BASE_URL and OPENAI_API_KEY are the user's."""
    with model_server() as model:
        ended = subprocess.run(
            [TRACIUM, "demo", "--live", "--once", "--requests", "2"],
            env=environment(OPENAI_API_KEY="mine", OPENAI_BASE_URL=model, COLUMNS="120"),
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 0, ended.stderr
    # the answers of that server take 11 tokens in and 7 out: a chat and a stream
    assert rows(ended.stdout)["acme-corp"][2:4] == ["22", "14"]
