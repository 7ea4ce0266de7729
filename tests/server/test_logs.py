"""OTLP → store → query gives the same log record, as the Collector's ClickHouse exporter would have written it."""

from __future__ import annotations

import base64
import json
import os
import time
import uuid
from datetime import UTC, datetime

import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from support.batches import read_logs
from support.go_values import ATTRIBUTES, TEXT, VALUES, as_text, go_string
from support.otlp_signals import log_request, record
from support.serving import PROTOBUF, Serving
from support.stored import stored

from tracium.server.parsing import JSON
from tracium.server.scope import TenantScope

SLOW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NOW = time.time_ns()
# What is older than the store keeps is not there to be read.
TIMES = st.integers(NOW - 3600 * 10**9, NOW)


def read(store, event, columns="*, toUnixTimestamp64Nano(Timestamp) AS nanoseconds"):
    sql = f"SELECT {columns} FROM otel_logs WHERE EventName = {{event:String}}"
    rows = store.rows(TenantScope.all(), sql, {"event": event})
    assert len(rows) == 1
    return rows[0]


@given(
    body=VALUES,
    attributes=ATTRIBUTES,
    scope=ATTRIBUTES,
    text=TEXT,
    times=st.tuples(st.just(0) | TIMES, TIMES),
    number=st.integers(0, 24),
    flags=st.integers(0, 2**32 - 1),
    ids=st.sampled_from([(b"", b""), (bytes(16), bytes(8)), (b"\1" * 16, b"\2" * 8)]),
)
@SLOW
def test_protobuf_round_trip(store, body, attributes, scope, text, times, number, flags, ids):
    """Every value of every type has the exporter's form in each column."""
    event = str(uuid.uuid4())
    sent = record(
        "acme",
        body=body,
        values=attributes,
        time_unix_nano=times[0],
        observed_time_unix_nano=times[1],
        severity_number=number,
        severity_text=text,
        flags=flags,
        trace_id=ids[0],
        span_id=ids[1],
        event_name=event,
    )
    store.commit([read_logs(log_request(sent, scope=scope).SerializeToString())])
    row = read(store, event)
    del row["Timestamp"]
    assert row == {
        "nanoseconds": times[0] or times[1],
        "TraceId": ids[0].hex() if any(ids[0]) else "",
        "SpanId": ids[1].hex() if any(ids[1]) else "",
        "TraceFlags": flags % 256,
        "SeverityText": text,
        "SeverityNumber": number,
        "ServiceName": "shop",
        "Body": go_string(body),
        "ResourceSchemaUrl": "https://resource",
        "ResourceAttributes": {"service.name": "shop"},
        "ScopeSchemaUrl": "https://scope",
        "ScopeName": "tests",
        "ScopeVersion": "1.0",
        "ScopeAttributes": as_text(scope),
        "LogAttributes": {"tenant.id": "acme", **as_text(attributes)},
        "EventName": event,
    }


@given(body=VALUES, attributes=ATTRIBUTES)
@SLOW
def test_json_round_trip(store, body, attributes):
    """The same record comes back when it was sent as OTLP's JSON, with hexadecimal ids."""
    event = str(uuid.uuid4())
    sent = record("acme", body=body, values=attributes, trace_id=os.urandom(16), span_id=b"\2" * 8, event_name=event)
    told = json_format.MessageToDict(log_request(sent))
    one = told["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    for name in ("traceId", "spanId"):
        one[name] = base64.b64decode(one[name]).hex().upper()
    store.commit([read_logs(json.dumps(told).encode(), JSON)])
    row = read(store, event, "Body, LogAttributes, TraceId, SpanId")
    assert row == {
        "Body": go_string(body),
        "LogAttributes": {"tenant.id": "acme", **as_text(attributes)},
        "TraceId": sent.trace_id.hex(),
        "SpanId": sent.span_id.hex(),
    }


def test_keys_of_a_map_are_sorted(store):
    """A map has its keys in order, as the exporter's has, so that rows of both are the same bytes."""
    event = str(uuid.uuid4())
    sent = record(values={"b": 1, "a": 2, "c": 3}, event_name=event)
    store.commit([read_logs(log_request(sent).SerializeToString())])
    assert read(store, event, "mapKeys(LogAttributes) AS k")["k"] == ["a", "b", "c"]


def test_a_record_without_a_time(store):
    """What says no time at all was observed when it came: it is not lost among what is long past."""
    event = str(uuid.uuid4())
    sent = record(event_name=event, time_unix_nano=0)
    store.commit([read_logs(log_request(sent).SerializeToString())])
    assert NOW <= read(store, event)["nanoseconds"] <= time.time_ns()


def test_whose_a_record_is(store):
    """Tenant, user, session and environment are columns of their own; a tenant sees its records only."""
    event = str(uuid.uuid4())
    values = {"user.id": "u", "gen_ai.conversation.id": "c"}
    request = log_request(record("acme", values=values, event_name=event), record("beta", event_name=event))
    request.resource_logs[0].resource.attributes.add(key="deployment.environment.name").value.string_value = "prod"
    store.commit([read_logs(request.SerializeToString())])
    sql = "SELECT TenantId, UserId, SessionId, Environment FROM otel_logs WHERE EventName = {event:String}"
    assert store.rows(TenantScope.of("acme"), sql, {"event": event}) == [
        {"TenantId": "acme", "UserId": "u", "SessionId": "c", "Environment": "prod"}
    ]


def test_rows_of_the_collector(store):
    """The exporter's INSERT, which names its own columns only, fills ours."""
    event = str(uuid.uuid4())
    columns = ["Timestamp", "LogAttributes", "EventName"]
    store.insert("otel_logs", columns, [[datetime.now(UTC), {"tenant.id": "acme", "session.id": "s"}, event]])
    assert read(store, event, "TenantId, SessionId") == {"TenantId": "acme", "SessionId": "s"}


def test_the_same_request_twice(store):
    """What is sent again is stored once; the same record in another request is another one."""
    event = str(uuid.uuid4())
    one = record("acme", event_name=event)
    for sent in (log_request(one), log_request(one), log_request(one, one)):
        store.commit([read_logs(sent.SerializeToString())])
    sql = "SELECT count() AS n FROM otel_logs WHERE EventName = {event:String}"
    assert store.rows(TenantScope.all(), sql, {"event": event}) == [{"n": 3}]


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (log_request(record()).SerializeToString()[:-3], PROTOBUF, "not an ExportLogsServiceRequest in protobuf"),
        (b"[]", JSON, "not an ExportLogsServiceRequest in JSON"),
        (b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"spanId":"xyz"}]}]}]}', JSON, "spanId 'xyz' is not hex"),
        (log_request(record(span_id=b"12")).SerializeToString(), PROTOBUF, "has the span id '3132', not 8 bytes"),
    ],
)
def test_bad_bodies(serving, body, content_type, reason):
    """A request of which nothing can be stored is answered with 400 and the reason."""
    status, _, answer = serving.send(body, content_type, path="/v1/logs")
    assert (status, reason in answer.decode(errors="replace")) == (400, True)


def test_partial_success(serving):
    """Of a request with good and bad records the good ones are stored, and the answer counts the others."""
    request = log_request(record(), record(trace_id=b"1"), record(), record(span_id=b"2"))
    status, _, answer = serving.send(request.SerializeToString(), path="/v1/logs")
    told = ExportLogsServiceResponse.FromString(answer).partial_success
    assert (status, told.rejected_log_records) == (200, 2)
    assert "of 'tests' has the trace id '31', not 16 bytes or none." in told.error_message
    status, headers, answer = serving.send(json_body(request), JSON, path="/v1/logs")
    assert (status, headers["content-type"]) == (200, JSON)
    assert json.loads(answer)["partialSuccess"]["rejectedLogRecords"] == "2"


def json_body(request):
    told = json_format.MessageToDict(request)
    for one in told["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
        for name in {"traceId", "spanId"} & one.keys():
            one[name] = base64.b64decode(one[name]).hex()
    return json.dumps(told).encode()


def test_the_exporters_of_opentelemetry(tmp_path):
    """What the SDK exports over HTTP and gRPC, in each compression, is stored with its trace."""
    with Serving(tmp_path) as server:
        exporters = [
            *(HttpExporter(f"{server.url}/v1/logs", compression=compression) for compression in Compression),
            GrpcExporter(endpoint=server.grpc_url, insecure=True),
        ]
        span = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False, trace_flags=trace.TraceFlags(1)))
        context = trace.set_span_in_context(span)
        for exporter in exporters:
            provider = LoggerProvider(shutdown_on_exit=False)
            provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
            provider.get_logger("tests").emit(
                LogRecord(
                    timestamp=NOW,
                    context=context,
                    severity_number=SeverityNumber.WARN,
                    body={"a": [1, None]},
                    attributes={"tenant.id": "acme"},
                )
            )
            provider.shutdown()
        assert server.end() == 0
    columns = "TenantId, TraceId, SpanId, SeverityNumber, Body, count() AS n"
    assert stored(tmp_path, f"SELECT {columns} FROM otel_logs GROUP BY ALL") == [
        {
            "TenantId": "acme",
            "TraceId": f"{1:032x}",
            "SpanId": f"{2:016x}",
            "SeverityNumber": 13,
            "Body": '{"a":[1,null]}',
            "n": len(exporters),
        }
    ]
