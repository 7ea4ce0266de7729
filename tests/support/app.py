"""Python code as an app of its own: a fresh process, a clean environment."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path

BIN = Path(sys.executable).parent


def environment(receiver=None, **variables):
    """This environment without any setting of OpenTelemetry's or ours, and with these."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "TRACIUM_"))}
    kept |= {"OTEL_BSP_SCHEDULE_DELAY": "100", "NO_PROXY": "127.0.0.1,localhost"}
    if receiver is not None:
        kept["TRACIUM_ENDPOINT"] = receiver.url
    return kept | variables


def run_app(code, env, *, launcher=(), timeout=60, cwd=None):
    """Run `code` to its end; gives the completed process, which must have ended well."""
    ended = subprocess.run(
        [*launcher, sys.executable, "-c", textwrap.dedent(code)],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return ended


@contextmanager
def started_app(code, env, *, launcher=()):
    """Run `code` in the background; it is killed when the block ends, if it has not ended."""
    process = subprocess.Popen(
        [*launcher, sys.executable, "-u", "-c", textwrap.dedent(code)],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def free_port():
    """A port on loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
