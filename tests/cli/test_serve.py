"""`tracium serve` as a command; what it does with spans is tested in tests/server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tracium.cli.serve import command
from tracium.exceptions import StoreError, TraciumError
from tracium.server.location import Directory, Server, default_directory, locate


def run(*arguments, code=None, **environ):
    program = ["-c", code] if code else ["-m", "tracium"]
    return subprocess.run(
        [sys.executable, *program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environ},
    )


def test_a_port_in_use(tmp_path):
    """One sentence names the address and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--data", str(tmp_path), "--port", str(port))
    assert done.returncode == 1
    assert done.stderr == (
        f"tracium: cannot listen on 127.0.0.1:{port}: Address already in use. "
        "Stop what uses it, or choose another port with --port (0: any free one).\n"
    )


WITHOUT = """
import sys
for name in sys.argv.pop().split(","):
    sys.modules[name] = None
from tracium.cli.main import main
main()
"""


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "clickhouse_connect"])
def test_without_the_extra(tmp_path, package):
    """A missing package is named with the command that installs it."""
    done = run("serve", "--data", str(tmp_path), "--port", "0", package, code=WITHOUT)
    assert done.returncode == 1
    assert done.stderr == (
        f"tracium: `tracium serve` needs the package {package}, which is not installed. "
        'Install it with: pip install "tracium[local]"\n'
    )


def test_without_the_embedded_engine(tmp_path):
    """Where chdb has no build, the sentence names both ways out."""
    done = run("serve", "--data", str(tmp_path), "--port", "0", "chdb", code=WITHOUT)
    assert done.returncode == 1
    assert 'pip install "tracium[local]"' in done.stderr
    assert 'pip install "tracium[server]" and --dsn clickhouse://' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_command_line_starts_light():
    """Listing the commands imports none of the backend's packages."""
    code = (
        "import sys, tracium.cli.main; heavy = {'chdb', 'clickhouse_connect', 'starlette', 'uvicorn', 'rich'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    assert run(code=code).stdout == "[]\n"


def test_a_clickhouse_that_does_not_answer():
    """The DSN's host is named, its password is not."""
    done = run("serve", "--port", "0", "--dsn", "clickhouse://user:secret@127.0.0.1:1/db")
    assert done.returncode == 1
    assert "the ClickHouse at clickhouse://127.0.0.1:1/db cannot be used" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize("dsn", ["postgres://host/db", "clickhouse://", "chdb://memory", "chdb:///", "nonsense"])
def test_a_dsn_that_names_no_store(dsn):
    """A DSN of another kind is refused with what is allowed."""
    with pytest.raises(StoreError, match=r"names no store\. Write clickhouse://"):
        locate(None, dsn)


def test_two_stores_at_once(tmp_path):
    """Both options on the command line contradict each other; the environment only fills in what is not given."""
    runner = CliRunner(env={"TRACIUM_DATA": str(tmp_path)})
    result = runner.invoke(command, ["--data", "a", "--dsn", "clickhouse://h/d"])
    assert isinstance(result.exception, TraciumError)
    assert "--data and --dsn name two stores" in str(result.exception)
    result = runner.invoke(command, ["--dsn", "clickhouse://127.0.0.1:1/d", "--port", "0"])
    assert "clickhouse://127.0.0.1:1/d cannot be used" in str(result.exception)


def test_where_data_is_by_default(monkeypatch, tmp_path):
    """XDG_DATA_HOME is honoured unless it is relative, which the specification calls invalid."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "tracium"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_directory() == tmp_path / ".local" / "share" / "tracium"


def test_locations():
    """A directory by either name is the same, and a server is shown without its password."""
    assert locate("/data", None) == locate(None, "chdb:///data")
    assert isinstance(locate(None, None), Directory)
    assert str(Server("clickhouses://u:p@ch.example:8443/otel")) == "clickhouses://ch.example:8443/otel"


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_listening_beyond_the_machine_in_the_clear(host):
    """An address that others can reach is refused before anything else, with the ways out."""
    result = CliRunner().invoke(command, ["--host", host, "--port", "0", "--dsn", "clickhouse://127.0.0.1:1/d"])
    assert isinstance(result.exception, TraciumError)
    assert f"{host} is reachable from outside this machine" in str(result.exception)
    assert "--tls-cert FILE and --tls-key FILE, or --behind-proxy NETWORK" in str(result.exception)


def test_half_of_tls(tmp_path):
    """A certificate without its key is refused, and so is what is no certificate."""
    (tmp_path / "cert.pem").write_text("no certificate")
    result = CliRunner().invoke(command, ["--tls-cert", str(tmp_path / "cert.pem")])
    assert "--tls-cert and --tls-key go together" in result.output
    both = ["--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "cert.pem")]
    assert "cannot be used" in str(CliRunner().invoke(command, both).exception)


def test_a_proxy_that_is_nowhere():
    """A network that is none is refused."""
    assert (
        "'proxy' is neither an address nor a network" in CliRunner().invoke(command, ["--behind-proxy", "proxy"]).output
    )
