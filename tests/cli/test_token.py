"""`tracium token` and `tracium audit`, on a store by itself and through the server that has it open."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from support.serving import Serving

from tracium.cli.audit import command as audit
from tracium.cli.token import command as token


def run(*arguments, **environ):
    return subprocess.run(
        [sys.executable, "-m", "tracium", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environ},
    )


def test_a_token_through_its_life(tmp_path):
    """Made while no server runs, shown once on stdout alone, listed, used, revoked through the server, and noted."""
    data = ("--data", str(tmp_path / "d"))
    made = run("token", "create", "--kind", "read", "--tenant", "acme", "--grant", "cost", "--expires", "90d", *data)
    (secret,) = made.stdout.split()
    token_id = secret.split("_")[2]
    assert secret.startswith("tracium_read_")
    assert f"Token {token_id} of kind read. Send it as Authorization: Bearer TOKEN." in made.stderr
    with Serving(tmp_path / "d") as server:
        assert server.ask("GET", "/ready", headers={"Authorization": f"Bearer {secret}"})[0] == 200
        through = json.loads(run("token", "create", "--kind", "admin", "--name", "Ann", "--json", *data).stdout)
        listed = json.loads(run("token", "list", "--json", *data).stdout)["tokens"]
        assert [one["id"] for one in listed] == [token_id, through["token"]["id"]]
        assert (listed[0]["tenants"], listed[0]["grants"], listed[1]["name"]) == (["acme"], ["cost"], "Ann")
        assert run("token", "revoke", token_id, *data).stdout == f"Token {token_id} is revoked.\n"
        assert server.ask("GET", "/ready", headers={"Authorization": f"Bearer {secret}"})[0] == 401
        # From elsewhere, with a token in the place of the directory.
        elsewhere = {"TRACIUM_URL": server.url, "TRACIUM_TOKEN": through["secret"]}
        by_url = json.loads(run("audit", "--json", **elsewhere).stdout)["entries"]
        assert run("token", "list", "--json", TRACIUM_URL=server.url).returncode == 1
        assert run("usage", "--json", **elsewhere).returncode == 0
    entries = json.loads(run("audit", "--json", *data).stdout)["entries"]
    assert entries == by_url
    assert [(entry["action"], entry["address"]) for entry in entries] == [
        ("token.revoke", "127.0.0.1"),
        ("token.create", "127.0.0.1"),
        ("token.create", ""),
    ]
    shown = run("token", "list", *data).stdout
    for part in (token_id, "acme", "cost", "revoked ", "Ann", "valid", "(all)"):
        assert part in shown
    table = run("audit", *data).stdout
    assert "kind=read tenants=acme grants=cost" in table
    assert "(this machine)" in table
    none = run("token", "revoke", "none", *data)
    assert none.stderr == "tracium: there is no token of the id 'none'. See them with: tracium token list\n"
    assert "Nothing since 2100" not in run("audit", "--since", "2026-01-01", *data).stdout


def test_names_cannot_steer_the_terminal(tmp_path):
    """What somebody called a token is shown as text."""
    data = ("--data", str(tmp_path / "d"))
    run("token", "create", "--kind", "usage", "--name", "\x1b[31m[bold]x", *data)
    for shown in (run("token", "list", *data).stdout, run("audit", *data).stdout):
        assert "\x1b" not in shown
        assert "\\x1b[31m[bold]x" in shown


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "Missing option '--kind'"),
        (("--kind", "root"), "'root' is not one of 'ingest', 'usage', 'read', 'admin'"),
        (("--kind", "admin", "--tenant", "a"), "an admin token rules over every tenant"),
        (("--kind", "read", "--grant", "cost"), "leave out the grant, or name a tenant"),
        (("--kind", "usage", "--tenant", "a", "--grant", "content"), "kind usage cannot be granted content"),
        (("--kind", "read", "--expires", "soon"), "'soon' is neither an age such as"),
    ],
)
def test_what_makes_no_sense(tmp_path, options, reason):
    """A wrong option is refused before anything is opened or made."""
    result = CliRunner().invoke(token, ["create", "--data", str(tmp_path / "d"), *options])
    assert (result.exit_code, reason in result.output) == (2, True)
    assert not (tmp_path / "d").exists()


def test_a_time_that_is_over(tmp_path):
    """A token that could never be used is refused in one sentence."""
    done = run("token", "create", "--kind", "read", "--expires", "2020-01-01", "--data", str(tmp_path))
    assert done.returncode == 2
    assert "would never have held" in done.stderr


def test_a_store_that_is_not_there(tmp_path):
    """Asking creates no store."""
    for command in (("token", "list"), ("token", "revoke", "x"), ("audit",)):
        done = run(*command, "--data", str(tmp_path / "none"))
        assert done.returncode == 1
        assert "there is no store in" in done.stderr
        assert not (tmp_path / "none").exists()


def test_a_limit_of_the_audit_log():
    """It is bounded."""
    assert CliRunner().invoke(audit, ["--limit", "0"]).exit_code == 2
