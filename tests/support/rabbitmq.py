"""A real RabbitMQ, from Debian's package, on free loopback ports."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time

import kombu
from support.app import free_port
from support.brokers import require

# The one on the path changes to a user of its own.
_PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"


@contextlib.contextmanager
def running_rabbitmq(folder):
    """A RabbitMQ of this folder, with a name server of its own: its URL."""
    require("rabbitmq-server")
    port, names, nodes = free_port(), free_port(), free_port()
    env = {
        "PATH": os.environ["PATH"],
        # Where the cookie lies.
        "HOME": str(folder),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(names),
        "RABBITMQ_NODENAME": f"tests-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(nodes),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_BASE": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        # The shell script becomes the server instead of watching it.
        "RUNNING_UNDER_SYSTEMD": "true",
    }
    with (
        _process([require("epmd"), "-address", "127.0.0.1", "-port", str(names)], env, folder / "epmd.log"),
        _process([_PROGRAM], env, folder / "server.log") as server,
    ):
        url = f"amqp://guest:guest@127.0.0.1:{port}//"
        _wait_for(url, server, folder / "server.log")
        yield url


@contextlib.contextmanager
def _process(command, env, log):
    with log.open("w") as output:
        process = subprocess.Popen(command, env=env, cwd=log.parent, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(url, server, log):
    for _ in range(300):
        assert server.poll() is None, log.read_text()[-4000:]
        with contextlib.suppress(OSError), kombu.Connection(url, connect_timeout=2) as connection:
            connection.connect()
            return
        time.sleep(0.1)
    raise AssertionError("RabbitMQ does not answer: " + log.read_text()[-4000:])
