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
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as log_messages
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as log_services
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metric_messages
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metric_services
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
class ReceivedLog:
    """One log record as it arrived."""

    body: object
    severity: int
    level: str
    trace_id: str
    span_id: str
    event: str
    scope: str
    attributes: dict
    resource: dict

    @property
    def tenant(self):
        return self.attributes.get("tenant.id")


@dataclass
class ReceivedPoint:
    """One point of a metric as it arrived.

    Attributes:
        value: The number of a sum or a gauge, the sum of a histogram.
        count: How many measurements a histogram's point has, else None.
        kind: `sum`, `gauge`, `histogram` or `exponential_histogram`.
        temporality: 1 is delta, 2 is cumulative; None for a gauge.
    """

    metric: str
    unit: str
    kind: str
    value: float
    count: int | None
    temporality: int | None
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
        headers: Those of each request, whatever it was about.
        requests: The path of each request over HTTP.
        spans: What arrived, by kind.
        logs: As above.
        points: As above: the points of metrics, of all exports one after another.
    """

    url: str = ""
    status: int = 200
    delay: float = 0.0
    headers: list = field(default_factory=list)
    requests: list = field(default_factory=list)
    spans: list = field(default_factory=list)
    logs: list = field(default_factory=list)
    points: list = field(default_factory=list)

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

    def take_logs(self, body, headers):
        self.headers.append({name.lower(): value for name, value in headers})
        for resource_logs in log_messages.ExportLogsServiceRequest.FromString(body).resource_logs:
            resource = _values(resource_logs.resource.attributes)
            for scope_logs in resource_logs.scope_logs:
                self.logs.extend(
                    ReceivedLog(
                        body=_value(record.body),
                        severity=record.severity_number,
                        level=record.severity_text,
                        trace_id=record.trace_id.hex(),
                        span_id=record.span_id.hex(),
                        event=record.event_name,
                        scope=scope_logs.scope.name,
                        attributes=_values(record.attributes),
                        resource=resource,
                    )
                    for record in scope_logs.log_records
                )

    def take_metrics(self, body, headers):
        self.headers.append({name.lower(): value for name, value in headers})
        for resource_metrics in metric_messages.ExportMetricsServiceRequest.FromString(body).resource_metrics:
            resource = _values(resource_metrics.resource.attributes)
            for scope_metrics in resource_metrics.scope_metrics:
                for metric in scope_metrics.metrics:
                    self.points.extend(_points(metric, scope_metrics.scope.name, resource))

    def named(self, name):
        return [span for span in self.spans if span.name == name]

    def logged(self, body):
        return [log for log in self.logs if log.body == body]

    def points_of(self, metric):
        return [point for point in self.points if point.metric == metric]

    def wait_for(self, count, seconds=10.0, kind="spans"):
        arrived = getattr(self, kind)
        deadline = time.monotonic() + seconds
        while len(arrived) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(arrived) >= count, f"{len(arrived)} of {count} {kind} arrived in {seconds} s"
        return arrived


def _values(pairs):
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return _values(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)


def _points(metric, scope, resource):
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind)
    for point in data.data_points:
        histogram = kind.endswith("histogram")
        yield ReceivedPoint(
            metric=metric.name,
            unit=metric.unit,
            kind=kind,
            value=point.sum if histogram else getattr(point, point.WhichOneof("value")),
            count=point.count if histogram else None,
            temporality=getattr(data, "aggregation_temporality", None),
            scope=scope,
            attributes=_values(point.attributes),
            resource=resource,
        )


@contextmanager
def http_receiver(**options):
    """Serve OTLP over HTTP until the block ends."""
    receiver = Receiver(**options)
    # By name: a test may put its own into their place.
    takers = {"traces": "take", "logs": "take_logs", "metrics": "take_metrics"}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            time.sleep(receiver.delay)
            receiver.requests.append(self.path)
            take = takers.get(self.path.rpartition("/v1/")[2])
            if receiver.status == 200 and take is not None:
                getattr(receiver, take)(body, self.headers.items())
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
def grpc_receiver(port=0):
    """Serve OTLP over gRPC until the block ends, at a port of its own unless one is given."""
    receiver = Receiver()

    server = grpc.server(futures.ThreadPoolExecutor(2))
    for package, module, name, take in (
        (services, messages, "Trace", receiver.take),
        (log_services, log_messages, "Logs", receiver.take_logs),
        (metric_services, metric_messages, "Metrics", receiver.take_metrics),
    ):
        base = getattr(package, f"{name}ServiceServicer")
        answer = getattr(module, f"Export{name}ServiceResponse")
        service = type(name, (base,), {"Export": _exporting(receiver, take, answer)})
        getattr(package, f"add_{name}ServiceServicer_to_server")(service(), server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    receiver.url = f"http://127.0.0.1:{port}"
    try:
        yield receiver
    finally:
        server.stop(None).wait()


def _exporting(receiver, take, answer):
    def export(_, request, context):
        time.sleep(receiver.delay)
        take(request.SerializeToString(), context.invocation_metadata())
        return answer()

    return export
