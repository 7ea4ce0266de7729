"""Real brokers, from Debian's packages, each on a free loopback port."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time

import pytest
import redis
from support.app import free_port


def require(program):
    """The path of a server's program. Where it is missing the test is skipped; in CI it must be there."""
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is not installed: apt-get install {program}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@contextlib.contextmanager
def running_redis(folder):
    """A Redis that keeps nothing: its URL."""
    program, port = require("redis-server"), free_port()
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(redis.Redis(port=port), server)
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait_for(client, server):
    for _ in range(200):
        with contextlib.suppress(redis.exceptions.ConnectionError):
            if client.ping():
                client.close()
                return
        assert server.poll() is None, f"redis-server ended with {server.returncode}"
        time.sleep(0.05)
    raise AssertionError("redis-server does not answer")
