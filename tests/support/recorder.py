"""An HTTP server on loopback that keeps what it is sent: a service, or a proxy that plays every host there is."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-test",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
}


@dataclass
class Sent:
    """One request as it arrived.

    Attributes:
        target: Its path; behind a proxy the whole URL.
        headers: Names in lower case, and values, in their order.
        at: When.
    """

    target: str
    headers: list
    at: float = field(default_factory=time.monotonic)

    def all(self, name):
        return [value for other, value in self.headers if other == name]

    @property
    def baggage(self):
        return ",".join(self.all("baggage"))

    @property
    def carrier(self):
        return {name: value for name, value in self.headers if name != "baggage"} | {"baggage": self.baggage}

    @property
    def trace_id(self):
        return self.all("traceparent")[0].split("-")[1]


@dataclass
class Recorder:
    """What arrived, in its order."""

    port: int = 0
    sent: list = field(default_factory=list)

    def url(self, path="/", host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    def take(self):
        """What arrived since the last time."""
        taken, self.sent = self.sent, []
        return taken


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recorder: Recorder

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.recorder.sent.append(Sent(self.path, [(name.lower(), value) for name, value in self.headers.items()]))
        split = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(split.query).items()}
        if split.path == "/redirect":
            self.answer(302, location=asked["to"])
        elif split.path == "/flaky" and len(self.recorder.sent) == 1:
            self.answer(503)
        elif split.path == "/drop":
            self.close_connection = True
        else:
            self.answer(200, json.dumps(COMPLETION if body else "ok").encode(), **{"content-type": "application/json"})

    do_POST = do_OPTIONS = do_GET  # noqa: N815 - the handler's own names

    def do_CONNECT(self):
        """It tunnels nowhere, and keeps what it was asked with."""
        self.recorder.sent.append(Sent(self.path, [(name.lower(), value) for name, value in self.headers.items()]))
        self.close_connection = True
        self.answer(503)

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _SixServer(ThreadingHTTPServer):
    address_family = socket.AF_INET6


class _UnixServer(ThreadingHTTPServer):
    address_family = socket.AF_UNIX

    def server_bind(self):
        # A path has no port.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "unix", 0


@contextmanager
def recorder(host="127.0.0.1"):
    """Serve until the block ends, at an address or at a path."""
    kept = Recorder()
    handler = type("Handler", (_Handler,), {"recorder": kept})
    kind = _SixServer if ":" in host else ThreadingHTTPServer
    server = _UnixServer(host, handler) if "/" in host else kind((host, 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    kept.port = server.server_port
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
