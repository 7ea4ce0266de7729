"""OTLP over HTTP, against a server in a process of its own."""

from __future__ import annotations

import gzip
import json
import uuid
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http.trace_exporter import Compression, OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from support.otlp_requests import model_call, request, span
from support.serving import PROTOBUF

from tracium.exceptions import StoreError
from tracium.server.client import fetch_usage
from tracium.server.scope import TenantScope
from tracium.server.timerange import TimeRange

JSON = "application/json"


def last_hour():
    now = datetime.now(UTC)
    return TimeRange(now - timedelta(hours=1), now + timedelta(hours=1))


def usage_of(serving, tenant):
    rows = fetch_usage(serving.url, TenantScope.of(tenant), last_hour()).tenants
    return rows[0] if rows else None


@pytest.fixture
def tenant():
    return f"tenant-{uuid.uuid4()}"


@pytest.mark.parametrize("compression", list(Compression))
def test_the_exporter_of_opentelemetry(serving, tenant, compression):
    """What the SDK exports, in each compression it has, is there when its export returns."""
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{serving.url}/v1/traces", compression=compression)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("tests").start_as_current_span("GET /", attributes={"tenant.id": tenant}):
        pass
    provider.shutdown()
    assert usage_of(serving, tenant).traces == 1


@pytest.mark.parametrize("squeeze", [lambda body: body, gzip.compress], ids=["plain", "gzip"])
def test_json(serving, tenant, squeeze):
    """OTLP's JSON is taken, plain and compressed, and answered in JSON."""
    nanoseconds = str(int(datetime.now(UTC).timestamp() * 10**9))
    spans = [
        {
            "traceId": "5B8EFFF798038103D269B633813FC60C",
            "spanId": "EEE19B7EC3C1B174",
            "name": "GET /",
            "startTimeUnixNano": nanoseconds,
            "endTimeUnixNano": nanoseconds,
            "attributes": [{"key": "tenant.id", "value": {"stringValue": tenant}}],
            "aFieldOfTheFuture": 1,
        }
    ]
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    encoding = {} if squeeze(body) == body else {"Content_Encoding": "gzip"}
    status, headers, answer = serving.send(squeeze(body), "application/json; charset=utf-8", **encoding)
    assert (status, headers["content-type"], answer) == (200, JSON, b"{}")
    assert usage_of(serving, tenant).traces == 1


def test_a_request_without_spans(serving):
    """An empty request is a success, as OTLP has it, in the request's content type."""
    status, headers, answer = serving.send(b"")
    assert (status, headers["content-type"], answer) == (200, PROTOBUF, b"")


GOOD = request(span()).SerializeToString()


@pytest.mark.parametrize(
    ("body", "content_type", "headers", "status", "reason"),
    [
        (GOOD[:-3], PROTOBUF, {}, 400, "not an ExportTraceServiceRequest in protobuf"),
        (b"\xff" * 20, PROTOBUF, {}, 400, "not an ExportTraceServiceRequest in protobuf"),
        (GOOD, PROTOBUF, {"Content_Encoding": "gzip"}, 400, "not valid gzip"),
        (gzip.compress(GOOD)[:-9], PROTOBUF, {"Content_Encoding": "gzip"}, 400, "cut off"),
        (GOOD, PROTOBUF, {"Content_Encoding": "br"}, 415, "Content-Encoding 'br' is not supported"),
        (GOOD, "text/plain", {}, 415, "Content-Type 'text/plain' is not supported"),
        (b"{", JSON, {}, 400, "not an ExportTraceServiceRequest in JSON"),
        (b"[]", JSON, {}, 400, "not an ExportTraceServiceRequest in JSON"),
        (b'{"resourceSpans": 1}', JSON, {}, 400, "not an ExportTraceServiceRequest in JSON"),
        (b'{"resourceSpans": "\\ud800"}', JSON, {}, 400, "not an ExportTraceServiceRequest in JSON"),
        (b'{"resourceSpans":' + b"[" * 50_000, JSON, {}, 400, "not an ExportTraceServiceRequest in JSON"),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}', JSON, {}, 400, "'xyz' is not hex"),
        (
            request(span(name="s", trace_id=b"1")).SerializeToString(),
            PROTOBUF,
            {},
            400,
            "span 's' has the trace id '31'",
        ),
        (request(span(span_id=bytes(8))).SerializeToString(), PROTOBUF, {}, 400, "span id '0000000000000000'"),
        (request(span(parent=b"12")).SerializeToString(), PROTOBUF, {}, 400, "parent span id '3132'"),
        (gzip.compress(bytes(40 * 2**20)), PROTOBUF, {"Content_Encoding": "gzip"}, 413, "more than 33554432 bytes"),
        (zlib.compress(GOOD)[:-2], PROTOBUF, {"Content_Encoding": "deflate"}, 400, "cut off"),
    ],
)
def test_bad_bodies(serving, tenant, body, content_type, headers, status, reason):
    """A bad body is answered with the reason and harms no other."""
    got, answer_headers, answer = serving.send(body, content_type, **headers)
    assert got == status
    assert reason in message(answer_headers["content-type"], answer)
    assert serving.send(request(span(tenant)).SerializeToString())[0] == 200
    assert usage_of(serving, tenant).traces == 1


def message(content_type, answer):
    if content_type == JSON:
        return json.loads(answer)["message"]
    if content_type == PROTOBUF:
        return Status.FromString(answer).message
    return answer.decode()


def test_oversize_is_refused_before_it_is_read(serving):
    """A body that announces too many bytes is answered at once."""
    status, _, answer = serving.ask(
        "POST", "/v1/traces", b"", {"Content-Type": PROTOBUF, "Content-Length": str(33 * 2**20), "Connection": "close"}
    )
    assert (status, "Send smaller batches" in Status.FromString(answer).message) == (413, True)


def test_spans_that_are_none_are_left_out(serving, tenant):
    """Of a request with good and bad spans the good ones are stored, and the answer counts the others."""
    status, _, answer = serving.send(request(span(tenant), span(tenant, name="s", trace_id=b"1")).SerializeToString())
    told = ExportTraceServiceResponse.FromString(answer).partial_success
    assert (status, told.rejected_spans) == (200, 1)
    assert "span 's' has the trace id '31', not 16 bytes" in told.error_message
    assert usage_of(serving, tenant).traces == 1


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:4318", "", "127.0.0.2"]
)
def test_foreign_hosts_are_refused(serving, host):
    """A page that made its name point here reaches nothing."""
    for path in ("/health", "/api/v1/tenants"):
        assert serving.ask("GET", path, headers={"Host": host})[0] == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:4318", "[::1]", "[::1]:4318"])
def test_loopback_hosts_are_answered(serving, host):
    """The names of the loopback interface are answered, whatever the port."""
    assert serving.ask("GET", "/health", headers={"Host": host})[0] == 200


def test_health_and_ready(serving):
    """The process answers, and the store behind it."""
    assert json.loads(serving.ask("GET", "/health")[2]) == {"status": "ok"}
    assert json.loads(serving.ask("GET", "/ready")[2]) == {"status": "ready"}


TIMES = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"


def test_usage_over_http_is_scoped(serving, tenant):
    """The usage of one tenant has nothing of another one's; names of any kind survive the way."""
    strange = f"{tenant}/ü &=?\t\x1b[31m😀"
    serving.send(request(model_call(tenant, tokens=(1, 2)), model_call(strange, tokens=(30, 40))).SerializeToString())
    assert usage_of(serving, tenant).input_tokens == 1
    assert usage_of(serving, strange).input_tokens == 30
    everyone = {row.tenant for row in fetch_usage(serving.url, TenantScope.all(), last_hour()).tenants}
    assert {tenant, strange} <= everyone


@pytest.mark.parametrize(
    ("url", "reason"),
    [("http://127.0.0.1:1", "no `tracium serve` answers"), ("ftp://x", "is no URL"), ("localhost:4318", "is no URL")],
)
def test_a_server_that_is_not_there(url, reason):
    """A wrong URL is a sentence."""
    with pytest.raises(StoreError, match=reason):
        fetch_usage(url, TenantScope.all(), last_hour())
