"""OTLP → store → query gives the same metrics, as the Collector's ClickHouse exporter would have written them."""

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
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from support.batches import read_metrics
from support.go_values import ATTRIBUTES, as_text
from support.otlp_signals import attributes, metric, metric_request
from support.serving import PROTOBUF, Serving
from support.stored import stored

from tracium.server.parsing import JSON
from tracium.server.scope import TenantScope

SLOW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
DOUBLES = st.floats()
COUNTS = st.integers(0, 2**64 - 1)
OFFSETS = st.integers(-(2**31), 2**31 - 1)
NOW = time.time_ns()
# What is older than the store keeps is not there to be read.
TIMES = st.integers(NOW - 3600 * 10**9, NOW)
NUMBERS = st.one_of(
    DOUBLES.map(lambda value: {"as_double": value}),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: {"as_int": value}),
    st.just({}),
)
BUCKETS = st.fixed_dictionaries({"offset": OFFSETS, "bucket_counts": st.lists(COUNTS, max_size=4)})
EXEMPLARS = st.lists(
    st.tuples(NUMBERS, TIMES, ATTRIBUTES, st.sampled_from([(b"", b""), (b"\1" * 16, b"\2" * 8)])), max_size=2
)
POINTS = {
    "gauge": NUMBERS,
    "sum": NUMBERS,
    "histogram": st.fixed_dictionaries(
        {
            "count": COUNTS,
            "bucket_counts": st.lists(COUNTS, max_size=4),
            "explicit_bounds": st.lists(DOUBLES, max_size=3),
        },
        optional={"sum": DOUBLES, "min": DOUBLES, "max": DOUBLES},
    ),
    "exponential_histogram": st.fixed_dictionaries(
        {"count": COUNTS, "scale": OFFSETS, "zero_count": COUNTS},
        optional={"sum": DOUBLES, "min": DOUBLES, "max": DOUBLES, "positive": BUCKETS, "negative": BUCKETS},
    ),
    "summary": st.fixed_dictionaries(
        {
            "count": COUNTS,
            "sum": DOUBLES,
            "quantile_values": st.lists(st.fixed_dictionaries({"quantile": DOUBLES, "value": DOUBLES}), max_size=3),
        }
    ),
}


def number(told):
    return float(told.get("as_double", told.get("as_int", 0)))


def columns_of(kind, told, temporality):
    """The columns of one kind, from what a point says; what it does not say is 0."""
    common = {"Count": told.get("count"), "Sum": told.get("sum", 0.0)}
    extremes = {"Min": told.get("min", 0.0), "Max": told.get("max", 0.0), "AggregationTemporality": temporality}
    positive, negative = told.get("positive", {}), told.get("negative", {})
    quantiles = told.get("quantile_values", [])
    return {
        "gauge": lambda: {"Value": number(told)},
        "sum": lambda: {"Value": number(told), "AggregationTemporality": temporality, "IsMonotonic": True},
        "histogram": lambda: {
            **common,
            **extremes,
            "BucketCounts": told["bucket_counts"],
            "ExplicitBounds": told["explicit_bounds"],
        },
        "exponential_histogram": lambda: {
            **common,
            **extremes,
            "Scale": told["scale"],
            "ZeroCount": told["zero_count"],
            "PositiveOffset": positive.get("offset", 0),
            "PositiveBucketCounts": positive.get("bucket_counts", []),
            "NegativeOffset": negative.get("offset", 0),
            "NegativeBucketCounts": negative.get("bucket_counts", []),
        },
        "summary": lambda: {
            **common,
            "ValueAtQuantiles.Quantile": [one["quantile"] for one in quantiles],
            "ValueAtQuantiles.Value": [one["value"] for one in quantiles],
        },
    }[kind]()


def exemplar_columns(exemplars):
    return {
        "Exemplars.FilteredAttributes": [as_text(values) for _, _, values, _ in exemplars],
        "ExemplarNanoseconds": [at for _, at, _, _ in exemplars],
        "Exemplars.Value": [number(told) for told, *_ in exemplars],
        # The exporter writes ids that are not there as zeros.
        "Exemplars.TraceId": [(ids[0] or bytes(16)).hex() for *_, ids in exemplars],
        "Exemplars.SpanId": [(ids[1] or bytes(8)).hex() for *_, ids in exemplars],
    }


def read(store, kind, name, more=""):
    times = "toUnixTimestamp64Nano(StartTimeUnix) AS started, toUnixTimestamp64Nano(TimeUnix) AS nanoseconds"
    if kind != "summary":
        times += ", arrayMap(t -> toUnixTimestamp64Nano(t), `Exemplars.TimeUnix`) AS ExemplarNanoseconds"
    sql = f"SELECT *, {times}{more} FROM otel_metrics_{kind} WHERE MetricName = {{name:String}}"
    rows = store.rows(TenantScope.all(), sql, {"name": name})
    assert len(rows) == 1
    return {key: value for key, value in rows[0].items() if not key.endswith("TimeUnix")}


def same(left, right):
    """Equality for which NaN is equal to itself, and -0.0 not to 0.0."""
    return repr(sorted(left.items())) == repr(sorted(right.items()))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), values=ATTRIBUTES, scope=ATTRIBUTES, times=st.tuples(TIMES, TIMES), exemplars=EXEMPLARS)
@SLOW
def test_protobuf_round_trip(store, kind, data, values, scope, times, exemplars):
    """Every number and value of each kind of metric has the exporter's form in each column."""
    told = data.draw(POINTS[kind])
    name = str(uuid.uuid4())
    fields = {"start_time_unix_nano": times[0], "time_unix_nano": times[1], "flags": 1, **told}
    sent = metric(name, kind, tenant="acme", values=values, **fields)
    if kind not in {"gauge", "summary"}:
        getattr(sent, kind).aggregation_temporality = 2
    if kind == "sum":
        sent.sum.is_monotonic = True
    exemplars = [] if kind == "summary" else exemplars
    for value, at, filtered, (trace_id, span_id) in exemplars:
        point = getattr(sent, kind).data_points[0]
        one = point.exemplars.add(time_unix_nano=at, trace_id=trace_id, span_id=span_id, **value)
        attributes(one.filtered_attributes, filtered)
    store.commit([read_metrics(metric_request(sent, scope=scope).SerializeToString())])
    expected = {
        "ResourceAttributes": {"service.name": "shop"},
        "ResourceSchemaUrl": "https://resource",
        "ScopeName": "tests",
        "ScopeVersion": "1.0",
        "ScopeAttributes": as_text(scope),
        "ScopeDroppedAttrCount": 3,
        "ScopeSchemaUrl": "https://scope",
        "ServiceName": "shop",
        "MetricName": name,
        "MetricDescription": "what it is",
        "MetricUnit": "1",
        "Attributes": {"tenant.id": "acme", **as_text(values)},
        "started": times[0],
        "nanoseconds": times[1],
        "Flags": 1,
        **columns_of(kind, told, 2),
        **({} if kind == "summary" else exemplar_columns(exemplars)),
    }
    assert same(ordered(read(store, kind, name)), ordered(expected))


def ordered(value):
    """The maps in a row in the order of their keys; the engine keeps one, Python's == does not care."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    return [ordered(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", KINDS)
def test_json(store, kind):
    """Each kind is taken as OTLP's JSON, exemplars with hexadecimal ids."""
    name = str(uuid.uuid4())
    sent = metric(name, kind, tenant="acme")
    trace_id = os.urandom(16)
    if kind != "summary":
        getattr(sent, kind).data_points[0].exemplars.add(as_int=1, trace_id=trace_id, span_id=b"\2" * 8)
    told = json_format.MessageToDict(metric_request(sent))
    for found in find(told, "exemplars"):
        for name_of_id in ("traceId", "spanId"):
            found[0][name_of_id] = base64.b64decode(found[0][name_of_id]).hex()
    store.commit([read_metrics(json.dumps(told).encode(), JSON)])
    row = read(store, kind, name)
    assert kind == "summary" or row["Exemplars.TraceId"] == [trace_id.hex()]


def find(value, key):
    if isinstance(value, dict):
        here = [value[key]] if key in value else []
        return here + [one for inner in value.values() for one in find(inner, key)]
    return [one for inner in value for one in find(inner, key)] if isinstance(value, list) else []


@pytest.mark.parametrize("kind", KINDS)
def test_whose_a_point_is(store, kind):
    """A tenant sees its own points only, in each table."""
    name = str(uuid.uuid4())
    sent = [metric(name, kind, tenant=tenant, values={"user.id": "u"}) for tenant in ("acme", "beta", None)]
    store.commit([read_metrics(metric_request(*sent).SerializeToString())])
    sql = f"SELECT TenantId, UserId FROM otel_metrics_{kind} WHERE MetricName = {{name:String}}"
    assert store.rows(TenantScope.of("acme"), sql, {"name": name}) == [{"TenantId": "acme", "UserId": "u"}]
    assert len(store.rows(TenantScope.all(), sql, {"name": name})) == 3


def test_rows_of_the_collector(store):
    """The exporter's INSERT, which names its own columns only, fills ours."""
    name = str(uuid.uuid4())
    columns = ["TimeUnix", "MetricName", "Attributes"]
    store.insert("otel_metrics_sum", columns, [[datetime.now(UTC), name, {"tenant.id": "acme"}]])
    assert read(store, "sum", name, ", TenantId")["TenantId"] == "acme"


def test_the_same_request_twice(store):
    """What is sent again is stored once, in each table by itself."""
    name = str(uuid.uuid4())
    body = metric_request(*(metric(name, kind) for kind in KINDS)).SerializeToString()
    for _ in range(2):
        store.commit([read_metrics(body)])
    for kind in KINDS:
        read(store, kind, name)


def bad_exemplar():
    sent = metric("m", "gauge", as_int=1)
    sent.gauge.data_points[0].exemplars.add(trace_id=b"1")
    return sent


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (
            metric_request(bad_exemplar()).SerializeToString()[:-3],
            PROTOBUF,
            "not an ExportMetricsServiceRequest in proto",
        ),
        (b'{"resourceMetrics": [1]}', JSON, "not an ExportMetricsServiceRequest in JSON"),
        (
            metric_request(bad_exemplar()).SerializeToString(),
            PROTOBUF,
            "exemplar of the metric 'm' has the trace id '31'",
        ),
    ],
)
def test_bad_bodies(serving, body, content_type, reason):
    """A request of which nothing can be stored is answered with 400 and the reason."""
    status, _, answer = serving.send(body, content_type, path="/v1/metrics")
    assert (status, reason in answer.decode(errors="replace")) == (400, True)


def test_partial_success(serving):
    """Good points are stored; bad ones are counted, and a metric without data is told of."""
    good, empty, timeless = (metric(name, "gauge", as_int=1) for name in ("good", "empty", "timeless"))
    timeless.gauge.data_points[0].time_unix_nano = 0
    empty.ClearField("data")
    for sent, rejected, reason in (
        ([good, bad_exemplar()], 1, "not 16 bytes or none"),
        ([good, timeless], 1, "'timeless' has no time"),
        ([good, empty], 0, "'empty' has no data"),
    ):
        status, _, answer = serving.send(metric_request(*sent).SerializeToString(), path="/v1/metrics")
        told = ExportMetricsServiceResponse.FromString(answer).partial_success
        assert (status, told.rejected_data_points, reason in told.error_message) == (200, rejected, True)


def test_the_exporters_of_opentelemetry(tmp_path):
    """What the SDK exports over HTTP and gRPC, in each compression, is stored with its tenant."""
    with Serving(tmp_path) as server:
        exporters = {
            **{one.value: HttpExporter(f"{server.url}/v1/metrics", compression=one) for one in Compression},
            "grpc": GrpcExporter(endpoint=server.grpc_url, insecure=True),
        }
        for name, exporter in exporters.items():
            reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
            view = View(instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation())
            provider = MeterProvider([reader], views=[view], shutdown_on_exit=False)
            meter = provider.get_meter(name)
            meter.create_counter("sum").add(2, {"tenant.id": "acme"})
            meter.create_gauge("gauge").set(0.5, {"tenant.id": "acme"})
            meter.create_histogram("histogram").record(3, {"tenant.id": "acme"})
            meter.create_histogram("exponential").record(4, {"tenant.id": "acme"})
            provider.shutdown()
        assert server.end() == 0
    for kind, value in {"sum": "Value", "gauge": "Value", "histogram": "Sum", "exponential_histogram": "Sum"}.items():
        sql = f"SELECT TenantId, {value} AS v, count() AS n FROM otel_metrics_{kind} GROUP BY ALL"
        expected = {"sum": 2, "gauge": 0.5, "histogram": 3, "exponential_histogram": 4}[kind]
        assert stored(tmp_path, sql) == [{"TenantId": "acme", "v": expected, "n": len(exporters)}]
