"""A real OTLP receiver on loopback, over HTTP or gRPC, that keeps what it gets."""

from __future__ import annotations

import gzip
import threading
import time
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services


@dataclass
class Received:
    """One span as it arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    scope: str
    attributes: dict
    resource: dict

    @property
    def tenant(self):
        return self.attributes.get("tenant.id")


@dataclass
class Receiver:
    """What arrived, and how to answer.

    Attributes:
        status: The HTTP status of every answer.
        delay: Seconds before each answer.
    """

    url: str = ""
    status: int = 200
    delay: float = 0.0
    headers: list = field(default_factory=list)
    spans: list = field(default_factory=list)

    def take(self, body, headers):
        self.headers.append({name.lower(): value for name, value in headers})
        for resource_spans in messages.ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _values(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                self.spans.extend(
                    Received(
                        name=span.name,
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        kind=span.kind,
                        scope=scope_spans.scope.name,
                        attributes=_values(span.attributes),
                        resource=resource,
                    )
                    for span in scope_spans.spans
                )

    def named(self, name):
        return [span for span in self.spans if span.name == name]

    def wait_for(self, count, seconds=10.0):
        deadline = time.monotonic() + seconds
        while len(self.spans) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.spans) >= count, f"{len(self.spans)} of {count} spans arrived in {seconds} s"
        return self.spans


def _values(pairs):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}


@contextmanager
def http_receiver(**options):
    """Serve OTLP over HTTP until the block ends."""
    receiver = Receiver(**options)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            time.sleep(receiver.delay)
            if receiver.status == 200 and self.path.endswith("/v1/traces"):
                receiver.take(body, self.headers.items())
            else:
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(receiver.status)
            if 300 <= receiver.status < 400:
                self.send_header("location", "https://elsewhere.example/")
            self.send_header("content-length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # A handler that still sleeps when the test is over must not keep it.
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def grpc_receiver():
    """Serve OTLP over gRPC until the block ends."""
    receiver = Receiver()

    class Service(services.TraceServiceServicer):
        def Export(self, request, context):  # noqa: N802 - the service's own name
            receiver.take(request.SerializeToString(), context.invocation_metadata())
            return messages.ExportTraceServiceResponse()

    server = grpc.server(futures.ThreadPoolExecutor(2))
    services.add_TraceServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    receiver.url = f"http://127.0.0.1:{port}"
    try:
        yield receiver
    finally:
        server.stop(None).wait()
