"""A `tracium serve` in a process of its own, as users run it."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from urllib.parse import urlsplit

PROTOBUF = "application/x-protobuf"


class Serving:
    """Started by `with`; ended, by its own id, at the latest when the block ends."""

    def __init__(self, data, *options, cwd=None):
        self.data = data
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TRACIUM_"))}
        self.process = subprocess.Popen(
            # Without a directory the options name a server.
            [
                sys.executable,
                "-m",
                "tracium",
                "serve",
                *(("--data", str(data)) if data else ()),
                "--port",
                "0",
                *options,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
            cwd=cwd,
        )
        self.ready_line = self.process.stdout.readline()
        if not self.ready_line:
            raise AssertionError(self.process.communicate()[1])
        self.url = self.ready_line.split()[4].rstrip(",")
        # Without gRPC there is none.
        self.grpc_url = self.ready_line.partition("gRPC on ")[2].partition(",")[0] or None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def end(self):
        """Ask the process to end, and answer its exit code."""
        self.process.terminate()
        self.process.communicate(timeout=30)
        return self.process.returncode

    def send(self, body, content_type=PROTOBUF, path="/v1/traces", **headers):
        """POST a body; answer status, headers and body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", path, body, {"Content-Type": content_type, **named})

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()
