"""`tracium store` as a command: what it asks, what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.otlp_requests import request, span
from support.serving import Serving
from support.storing import run_store

from tracium.server.location import Directory
from tracium.server.lock import DirectoryLock

COMMANDS = [
    ("retention",),
    ("retention", "set", "spans", "90"),
    ("retention", "unset", "spans"),
    ("retention", "apply"),
    ("delete", "--tenant", "acme", "--yes"),
    ("size",),
    ("backup", "elsewhere"),
]


@pytest.mark.parametrize("command", [*COMMANDS, ("restore", "elsewhere")], ids=" ".join)
def test_a_directory_that_another_process_has_open(tmp_path, command):
    """Every command says who has it, and changes nothing."""
    directory = Directory(tmp_path / "data")
    with DirectoryLock(directory):
        directory.engine.mkdir()
        done = run_store(*command, data=directory, check=False)
    assert done.returncode == 1
    assert "is in use by process" in done.stderr
    assert not list(directory.engine.iterdir())
    assert not Path("elsewhere").exists()


@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if command[:2] != ("retention", "set")], ids=" ".join
)
def test_no_store(tmp_path, command):
    """Where nothing was received there is nothing to keep, and asking makes nothing."""
    done = run_store(*command, data=tmp_path / "none", check=False)
    assert done.returncode == 1
    assert "there is no store in" in done.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("delete", "--yes"), "say whose data"),
        (("delete", "--tenant", "", "--yes"), "say whose data"),
        (("delete", "--tenant", "org_1:*", "--yes"), "name each tenant whole"),
        (("retention", "set", "spans", "soon"), "is no number of days such as 90, 90d, 12w or 2y"),
        (("retention", "set", "prompts", "9"), "'prompts' is not one of"),
        (("retention", "set", "spans", "0"), "from 1 to 36500 days, not 0"),
        (("retention", "set", "spans", "9", "--tenant", "org_1:*"), "is no tenant"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_mistakes(tmp_path, command, said):
    """They are told with what is allowed."""
    done = run_store(*command, data=tmp_path / "data", check=False)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_server_is_not_backed_up(tmp_path):
    """A ClickHouse server has its own way, and the sentence says where to read of it."""
    done = run_store("backup", tmp_path / "b", data="", check=False, dsn="clickhouse://db:8123/tracium")
    assert done.returncode == 1
    assert "is a ClickHouse server, which backs itself up" in done.stderr


def test_a_life(tmp_path):
    """Rules, sizes and a deletion that is asked for twice, on a store that nobody has open."""
    with Serving(tmp_path) as server:
        spans = [span("acme"), span("acme"), span("beta", attributes={"user.id": "u-17"}), span()]
        assert server.send(request(*spans).SerializeToString())[0] == 200
        assert server.end() == 0
    run_store("retention", "set", "logs", "2w", "--tenant", "acme", data=tmp_path)
    rules = json.loads(run_store("retention", "--json", data=tmp_path))["rules"]
    assert {"tenant": "acme", "signal": "logs", "days": 14, "is_default": False} in rules
    assert {"tenant": None, "signal": "rollups", "days": 761, "is_default": True} in rules
    sizes = json.loads(run_store("size", "--json", data=tmp_path))
    assert {one["tenant"]: one["spans"] for one in sizes["tenants"]} == {"acme": 2, "beta": 1, None: 1}
    assert sum(one["estimated_bytes"] for one in sizes["tenants"]) <= sizes["bytes"]
    assert "(none)" in run_store("size", data=tmp_path)
    refused = run_store("delete", "--tenant", "acme", data=tmp_path, check=False, given="n\n")
    assert refused.returncode == 1
    receipt = run_store("delete", "--tenant", "acme", data=tmp_path, given="y\n")
    assert "deleted what belonged to tenant acme" in receipt
    assert "Settings that name the tenant stay: 1 retention rules" in receipt
    user = json.loads(run_store("delete", "--user", "u-17", "--yes", "--json", data=tmp_path))
    assert (user["user"], user["rows"]["otel_traces"], "tracium_requests_15m" in user["rows"]) == ("u-17", 1, False)
    sizes = json.loads(run_store("size", "--json", data=tmp_path))
    assert {one["tenant"]: one["spans"] for one in sizes["tenants"]} == {"beta": 0, None: 1}
