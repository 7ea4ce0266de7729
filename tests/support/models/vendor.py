"""What every fake of a model vendor has: a server on loopback that keeps what it was asked and what it billed.

The name of the model says how a request goes:

- `broken…`: every answer is an error 500;
- `busy…`: the first answer is an error 429, the next ones are good;
- `unfinished…`: a stream stays open after its second piece of text, as one does whose model still thinks;
- `cut…`: a stream ends after its second piece of text, without its end;
- any other: a good answer.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Request:
    """One request as it arrived.

    Attributes:
        path: With the query.
        headers: By lower-case name.
        body: The JSON value.
        raw: The bytes of the body.
    """

    path: str
    headers: dict
    body: dict
    raw: bytes

    def says(self, text):
        """Whether `text` stands anywhere in it."""
        return text in self.path or text in json.dumps(self.headers) or text.encode() in self.raw


@dataclass(frozen=True)
class Billed:
    """What one good answer costs: tokens, where the input includes what was cached and the output what was reasoned."""

    id: str
    input_tokens: int
    output_tokens: int | None


@dataclass(frozen=True)
class Reply:
    """One answer: whole (`bytes`), or in pieces that are sent one by one."""

    pieces: object
    status: int = 200
    content_type: str = "application/json"
    headers: dict = field(default_factory=dict)


@dataclass
class Vendor:
    """A vendor that serves.

    Attributes:
        url: Its root, without a slash at the end.
        requests: What arrived, in order.
        billed: What was answered well, in order.
    """

    url: str = ""
    requests: list = field(default_factory=list)
    billed: list = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))
    asked: set = field(default_factory=set)

    def bill(self, prefix, input_tokens, output_tokens):
        """Note that an answer is billed; gives its id."""
        billed = Billed(f"{prefix}{next(self.numbers)}", input_tokens, output_tokens)
        self.billed.append(billed)
        return billed.id

    def trouble(self, model):
        """The status of the error that `model` asks for now, or None."""
        if model.startswith("broken"):
            return 500
        if model.startswith("busy") and model not in self.asked:
            self.asked.add(model)
            return 429
        return None

    def paced(self, model, pieces, texts=2):
        """The pieces of a stream, the first `texts` of which come at once, as `model` wants."""
        pieces = list(pieces)
        if model.startswith("unfinished"):
            yield from pieces[:texts]
            self.closing.wait()
        elif model.startswith("cut"):
            yield from pieces[:texts]
        else:
            yield from pieces


def json_reply(value, status=200, **headers):
    """`value` as JSON."""
    return Reply(json.dumps(value).encode(), status, headers={k.replace("_", "-"): v for k, v in headers.items()})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        """A client that goes away in the middle is no news; a fault of the fake is."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def serving(answer):
    """Serve what `answer(vendor, request)` gives until the block ends; gives the `Vendor`."""
    vendor = Vendor()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            raw = self._body()
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.path, headers, json.loads(raw or b"{}"), raw)
            vendor.requests.append(request)
            self._send(answer(vendor, request))

        def _body(self):
            if "chunked" not in self.headers.get("transfer-encoding", ""):
                return self.rfile.read(int(self.headers.get("content-length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _send(self, reply):
            self.send_response(reply.status)
            self.send_header("content-type", reply.content_type)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if isinstance(reply.pieces, bytes):
                self.send_header("content-length", str(len(reply.pieces)))
                self.end_headers()
                self.wfile.write(reply.pieces)
                return
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            try:
                for piece in itertools.chain(reply.pieces, [b""]):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            except OSError:
                # The client has gone away.
                self.close_connection = True

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    vendor.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield vendor
    finally:
        vendor.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
