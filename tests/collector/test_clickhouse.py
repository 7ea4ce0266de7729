"""What the Collector's own exporter writes is what our receiver writes: the same rows, roll-ups, pages and cost."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.clickhouse_front import ask, clickhouse_front
from support.collector import Collecting
from support.otlp_requests import fill, model_call, request, span
from support.otlp_signals import log_request, metric, metric_request, record
from support.serving import Serving
from support.stored import stored
from support.waiting import eventually

pytestmark = pytest.mark.timeout(300)
VALUES = {
    "text": "ä ß € 😀 \n \x01 \u2028 <&>",
    "empty": "",
    "yes": True,
    "no": False,
    "zero": 0,
    "least": -(2**63),
    "half": 0.5,
    "tiny": 1e-7,
    "huge": 1.5e300,
    "bytes": b"\x00\xff",
    "list": ["a", 1, True, 0.25, "<"],
    "map": {"b": 1, "a": {"c": [1, "x"]}},
    "nothing": None,
}
COUNTED = {"otel_traces": 7, "otel_logs": 2, "otel_metrics_gauge": 1, "otel_metrics_sum": 1, "otel_metrics_histogram": 1,
           "otel_metrics_exponential_histogram": 1, "otel_metrics_summary": 1}  # fmt: skip


def traces():
    first = span("acme", name="GET /ü", attributes=VALUES, trace_state="ot=th:8", status={"code": 2, "message": "no"})
    event = first.events.add(name="exception", time_unix_nano=first.start_time_unix_nano + 1)
    link = first.links.add(trace_id=b"\7" * 16, span_id=b"\7" * 8, trace_state="a=b")
    for key, value in VALUES.items():
        fill(event.attributes.add(key=key).value, value)
        fill(link.attributes.add(key=key).value, value)
    calls = [
        model_call("acme", tokens=(1200, 300)),
        model_call("globex", tokens=(200_001, 7)),
        model_call("globex", operation="embeddings", tokens=(50, None)),
        model_call("acme"),
    ]
    for call in calls:
        for key, value in (("gen_ai.provider.name", "openai"), ("gen_ai.response.model", "gpt-4o")):
            fill(call.attributes.add(key=key).value, value)
    return request(first, *calls, span(), span("globex", kind=5, parent=b"\1" * 8))


def logs():
    return log_request(
        record("acme", body="plain", severity_number=9, severity_text="INFO", event_name="login", trace_id=b"\1" * 16),
        record("globex", body={"a": [1, None]}, values=VALUES),
        scope=VALUES,
    )


def metrics():
    histogram = {"count": 3, "sum": 4.5, "bucket_counts": [1, 2], "explicit_bounds": [1.5], "min": 0.5, "max": 3.0}
    exponential = {"count": 2, "sum": 3.0, "scale": 2, "zero_count": 1, "min": 1.0, "max": 2.0}
    summary = {"count": 2, "sum": 3.0, "quantile_values": [{"quantile": 0.5, "value": 1.5}]}
    message = metric_request(
        metric("g", "gauge", tenant="acme", as_double=1.5, values=VALUES),
        metric("s", "sum", tenant="acme", as_int=7),
        metric("h", "histogram", tenant="globex", **histogram),
        metric("e", "exponential_histogram", tenant="globex", **exponential),
        metric("q", "summary", **summary),
        scope=VALUES,
    )
    made = message.resource_metrics[0].scope_metrics[0].metrics
    made[1].sum.is_monotonic, made[1].sum.aggregation_temporality = True, 2
    made[2].histogram.aggregation_temporality = 1
    made[3].exponential_histogram.aggregation_temporality = 2
    positive = made[3].exponential_histogram.data_points[0].positive
    positive.offset, positive.bucket_counts[:] = 3, [1, 0, 1]
    return message


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Two directories with the same telemetry: one through the Collector's exporter, one through our receiver."""
    theirs, ours = tmp_path_factory.mktemp("theirs"), tmp_path_factory.mktemp("ours")
    messages = {"traces": traces(), "logs": logs(), "metrics": metrics()}
    with (
        clickhouse_front(theirs) as front,
        Collecting(tmp_path_factory.mktemp("collector"), CLICKHOUSE=f"{front}?compress=none") as collector,
        Serving(ours) as server,
    ):
        for signal, message in messages.items():
            assert collector.send(collector.services, message, signal) == 200
            assert server.send(message.SerializeToString(), path=f"/v1/{signal}")[0] == 200
        for table, count in COUNTED.items():
            eventually(lambda table=table: int(ask(front, f"SELECT count() AS n FROM {table}")[0]["n"]), count)
        assert server.end() == 0
    return theirs, ours


@pytest.mark.parametrize("table", COUNTED)
def test_the_rows_are_the_same(both, table):
    """In every column, the computed ones included."""
    described = stored(
        both[1], f"SELECT name FROM system.columns WHERE database = currentDatabase() AND table = '{table}'"
    )
    columns = [row["name"] for row in described]
    listed = ", ".join(f"`{name}`" for name in columns)
    theirs, ours = (stored(data, f"SELECT {listed} FROM {table} ORDER BY toString(tuple({listed}))") for data in both)
    assert len(ours) == COUNTED[table]
    for one, other in zip(theirs, ours, strict=True):
        assert {name: one[name] for name in columns if one[name] != other[name]} == {}


ROLLUPS = {
    "tracium_requests_15m": "TenantId, Bucket, Environment, ServiceName, sum(Spans), sum(SpanErrors), sum(Requests), "
    "sum(RequestErrors), sum(EstimatedRequests), uniqMerge(Traces), quantilesBFloat16Merge(0.5, 0.95, 0.99)(Latency), "
    "max(LastSeen)",
    "tracium_calls": "TenantId, EndTime, SpanKey, Provider, Model, InputClass, InputTokens, OutputTokens, Milliseconds",
}


@pytest.mark.parametrize("table", ROLLUPS)
def test_the_rollups_are_the_same(both, table):
    """They are fed by whoever writes the spans."""
    grouped = " GROUP BY TenantId, Bucket, Environment, ServiceName" if "sum(" in ROLLUPS[table] else ""
    sql = f"SELECT {ROLLUPS[table]} FROM {table}{grouped} ORDER BY ALL"
    theirs, ours = (stored(data, sql) for data in both)
    assert ours
    assert theirs == ours


def test_the_cost_is_the_same(both):
    """`tracium usage` prices and counts what the exporter wrote like what our receiver wrote."""
    answers = []
    for data in both:
        command = [sys.executable, "-m", "tracium", "usage", "--json", "--data", str(data)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=data)
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
    theirs, ours = (json.dumps(answer["tenants"], sort_keys=True) for answer in answers)
    assert "cost" in ours
    assert theirs == ours


def test_a_batch_that_is_tried_again_counts_once(tmp_path):
    """The answer to an INSERT that is lost, and the INSERT that is tried again, leave one row and one count."""
    with clickhouse_front(tmp_path / "store") as front:
        variables = {"CLICKHOUSE": f"{front}?compress=none&tests_lose_the_answers=1"}
        with Collecting(tmp_path, **variables) as collector:
            assert collector.send(collector.services, request(*(span("acme", name=f"{n}") for n in range(10)))) == 200
            eventually(
                lambda: ask(front, "SELECT sum(Spans) AS n FROM tracium_requests_15m")[0]["n"] in {10, "10"}, True
            )
            eventually(lambda: collector.metric("otelcol_exporter_sent_spans"), 10)
        (rolled,) = ask(front, "SELECT sum(Spans) AS n FROM tracium_requests_15m")
        (rows,) = ask(front, "SELECT count() AS n FROM otel_traces")
        assert (int(rolled["n"]), int(rows["n"])) == (10, 10)
