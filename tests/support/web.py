"""Web apps in real servers, each in a process of its own, and clients that can do what browsers do not."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from support.app import environment, free_port

APPS = Path(__file__).parent / "apps"
SERVERS = {
    "uvicorn": "-m uvicorn {app} --port {port} --log-level warning --no-access-log",
    "uvicorn h11": "-m uvicorn {app} --port {port} --log-level warning --no-access-log --http h11",
    "flask run": "-m flask --app {module} run --port {port}",
    "gunicorn": "-m gunicorn {app} -b 127.0.0.1:{port} -w 2 --threads 2 --preload --log-level warning",
    "gevent": "-m gunicorn {app} -b 127.0.0.1:{port} -w 1 -k gevent --log-level warning",
    "uvicorn worker": "-m gunicorn {app} -b 127.0.0.1:{port} -w 2 --preload -k uvicorn_worker.UvicornWorker"
    " --log-level warning",
}
# What nobody wants to find in a log, whatever the app does.
TROUBLE = re.compile(r"different Context|Failed to detach|tracium failed|was never awaited|already instrumented")


class WebServer:
    """A running server.

    Attributes:
        port: Where it listens on 127.0.0.1.
        log: The file that has its output.
    """

    def __init__(self, process, port, log):
        self.process, self.port, self.log = process, port, log

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def get(self, path, tenant=None, connection=None, method="GET", **headers):
        """The status and the text of an answer."""
        asked = connection or self.connect()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            asked.request(method, path, headers=named if tenant is None else {"X-Tenant-ID": tenant, **named})
            answer = asked.getresponse()
            return answer.status, answer.read().decode()
        finally:
            if connection is None:
                asked.close()

    def json(self, path):
        return json.loads(self.get(path)[1])

    def pipeline(self, *requests):
        """Send (path, tenant) pairs at once on one connection, and read until the server closes it after the last."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            # A proxy in front uses one connection for many clients.
            head = "GET {} HTTP/1.1\r\nHost: x\r\nX-Tenant-ID: {}\r\nX-Forwarded-For: 10.0.0.{}\r\n{}\r\n"
            last = len(requests) - 1
            connection.sendall(
                "".join(
                    head.format(path, tenant, number, "Connection: close\r\n" if number == last else "")
                    for number, (path, tenant) in enumerate(requests)
                ).encode()
            )
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def hang_up(self, path, tenant, size=1):
        """Go away after the first bytes of the answer."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Tenant-ID: {tenant}\r\n\r\n".encode())
            connection.recv(size)

    def leave(self, path, tenant):
        """Go away while the answer is being made."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Tenant-ID: {tenant}\r\n\r\n".encode())
            time.sleep(0.3)

    def trouble(self):
        return TROUBLE.findall(self.log.read_text())


@contextmanager
def web_server(kind, folder, receiver, *, module="app", launcher=(), python_path=(), **variables):
    """Run `module:app`, found in `folder`, in a server until the block ends."""
    port = free_port()
    arguments = SERVERS[kind].format(app=f"{module}:app", module=module, port=port).split()
    env = environment(receiver, OTEL_BSP_SCHEDULE_DELAY="50", PYTHONUNBUFFERED="1", **variables)
    env["PYTHONPATH"] = ":".join(map(str, (folder, *python_path)))
    log = Path(folder, f"server-{port}.log")
    with log.open("w") as output:
        command = [*launcher, sys.executable, *arguments]
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while True:
            ended = process.poll() is not None or time.monotonic() > deadline
            assert not ended, log.read_text()[-4000:]
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield WebServer(process, port, log)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
