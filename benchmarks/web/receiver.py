"""An OTLP receiver in a process of its own, which keeps of each span what the checks look at."""

import multiprocessing
import re
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent

# Where the conventions, old and new, put the query of a request.
QUERIES = ("url.query", "http.target", "http.url")
NUMBER = re.compile(r"\bid=(\d+)")


class Span(NamedTuple):
    name: str
    trace: bytes
    server: bool
    tenant: str | None
    request: int | None


class Receiver:
    """Each sender has a path of its own: `url` and its name."""

    def __enter__(self):
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_receive, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.url = self.pipe.recv()
        return self

    def __exit__(self, *error):
        self.process.terminate()
        self.process.join()

    def count(self, sender):
        return self._ask("count", sender)

    def take(self, sender):
        """The spans that came from `sender`, which are forgotten here."""
        return self._ask("take", sender)

    def settled(self, sender, seconds=1.0):
        """The count of spans when no more have come for some time."""
        count, since = self.count(sender), time.monotonic()
        while time.monotonic() - since < seconds:
            time.sleep(0.05)
            now = self.count(sender)
            if now != count:
                count, since = now, time.monotonic()
        return count

    def _ask(self, *question):
        self.pipe.send(question)
        return self.pipe.recv()


def _receive(pipe):
    spans = defaultdict(list)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            spans[self.path.split("/")[1]] += _parse(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    pipe.send(f"http://127.0.0.1:{server.server_port}")
    while True:
        question, sender = pipe.recv()
        pipe.send(len(spans[sender]) if question == "count" else spans.pop(sender, []))


def _parse(body):
    message = ExportTraceServiceRequest.FromString(body)
    return [
        _span(span)
        for resource_spans in message.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]


def _span(sent):
    values = {pair.key: pair.value for pair in sent.attributes}
    tenant = values["tenant.id"].string_value if "tenant.id" in values else None
    return Span(sent.name, sent.trace_id, sent.kind == Sent.SPAN_KIND_SERVER, tenant, _request(values))


def _request(values):
    if "request.id" in values:
        return values["request.id"].int_value
    query = next((values[key].string_value for key in QUERIES if key in values), "")
    found = NUMBER.search(query)
    return None if found is None else int(found[1])
