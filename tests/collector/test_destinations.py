"""What tracium and others send arrives at every destination that it is for, as the tenant's that it is."""

from __future__ import annotations

import pytest
from support.clickhouse_front import ask, clickhouse_front
from support.collector import Collecting, branches, run_app
from support.otlp_requests import request, span
from support.otlp_signals import log_request, metric, metric_request, record
from support.waiting import eventually

pytestmark = pytest.mark.timeout(300)
ERROR = {"code": 2}


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    with clickhouse_front(tmp_path_factory.mktemp("store")) as url:
        yield url


@pytest.fixture(scope="module")
def collector(tmp_path_factory, front, places):
    directory = tmp_path_factory.mktemp("collector")
    variables = branches(places) | {"CLICKHOUSE": f"{front}?compress=none", "SAMPLING_PERCENT": "0"}
    with Collecting(directory, **variables) as started:
        yield started


def tenants(front, name, table="otel_traces", column="SpanName"):
    sql = f"SELECT TenantId, count() AS n FROM {table} WHERE {column} = '{name}' GROUP BY TenantId ORDER BY TenantId"
    return {row["TenantId"]: int(row["n"]) for row in ask(front, sql)}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_tracium_sends_through_it(front, collector, protocol):
    """Spans, log records and points reach ClickHouse with the tenants that tracium set, and without where there was none."""
    service = f"shop over {protocol}"
    endpoint = collector.services_grpc if protocol == "grpc" else collector.services
    errors = run_app(endpoint, protocol, TRACIUM_SERVICE_NAME=service)
    assert "tracium" not in errors
    wanted = {"": 1, "acme": 1, "globex": 1}
    for table, condition in (
        ("otel_traces", "SpanName = 'GET /'"),
        ("otel_logs", "Body = 'made'"),
        ("otel_metrics_sum", "MetricName = 'shop.orders' AND Value = 2"),
    ):
        sql = f"SELECT TenantId, count() AS n FROM {table} WHERE ServiceName = '{service}' AND {condition} GROUP BY 1"
        eventually(lambda sql=sql: {row["TenantId"]: int(row["n"]) for row in ask(front, sql)}, wanted)


def test_a_single_tenant_cannot_be_another(front, collector):
    """What a sender says of its tenant counts on no signal: not on what it sends, not on the resource."""
    spans = request(span("evil", name="spoofed"), span(name="spoofed"))
    spans.resource_spans[0].resource.attributes.add(key="tenant.id").value.string_value = "evil"
    assert collector.send(collector.tenants, spans, x_tenant_id="acme") == 200
    logs = log_request(record("evil", body="spoofed"))
    assert collector.send(collector.tenants, logs, "logs", x_tenant_id="acme") == 200
    points = metric_request(metric("spoofed", "gauge", tenant="evil", as_int=1))
    assert collector.send(collector.tenants, points, "metrics", x_tenant_id="acme") == 200
    eventually(lambda: tenants(front, "spoofed"), {"acme": 2})
    eventually(lambda: tenants(front, "spoofed", "otel_logs", "Body"), {"acme": 1})
    eventually(lambda: tenants(front, "spoofed", "otel_metrics_gauge", "MetricName"), {"acme": 1})
    sql = "SELECT count() AS n FROM otel_traces WHERE ResourceAttributes['tenant.id'] = 'evil'"
    assert [int(row["n"]) for row in ask(front, sql)] == [0]


def test_a_single_tenant_without_proof_is_nobody(front, collector):
    """Without the proxy's header, or with two of them, nothing goes any further, and it is counted."""
    before = collector.metric("otelcol_processor_filter_spans_filtered_total") + collector.metric(
        "otelcol_processor_filter_spans_filtered"
    )
    assert collector.send(collector.tenants, request(span("evil", name="unproven"))) == 200
    assert collector.send(collector.tenants, request(span(name="unproven"))) == 200
    assert collector.send(collector.tenants, request(span(name="proven")), x_tenant_id="acme") == 200
    eventually(lambda: tenants(front, "proven"), {"acme": 1})
    assert tenants(front, "unproven") == {}
    after = collector.metric("otelcol_processor_filter_spans_filtered_total") + collector.metric(
        "otelcol_processor_filter_spans_filtered"
    )
    assert after - before >= 2


def test_a_service_may_say_it_on_the_resource(front, collector):
    """A service of one tenant that only its resource names is that tenant's, unless a span says another."""
    spans = request(span(name="on the resource"), span("globex", name="on the resource"))
    spans.resource_spans[0].resource.attributes.add(key="tenant.id").value.string_value = "acme"
    assert collector.send(collector.services, spans) == 200
    eventually(lambda: tenants(front, "on the resource"), {"acme": 1, "globex": 1})


def test_a_tenant_whose_data_stays_elsewhere(front, collector, places):
    """Of a tenant with a place of its own nothing goes to any other, of the others nothing goes there, in one request."""
    eu = places["eu"]
    spans = request(*(span(who, name="residence", status=ERROR) for who in ("acme", "initech", None, "umbrella")))
    assert collector.send(collector.services, spans, x_tenant_id="initech") == 200
    logs = log_request(record("initech", body="residence"), record("acme", body="residence"))
    assert collector.send(collector.services, logs, "logs") == 200
    points = metric_request(*(metric("residence", "gauge", tenant=who, as_int=1) for who in ("initech", "acme")))
    assert collector.send(collector.services, points, "metrics") == 200
    eventually(lambda: sorted(one.tenant for one in eu.named("residence")), ["initech", "umbrella"])
    eventually(lambda: [one.tenant for one in eu.logged("residence")], ["initech"])
    eventually(lambda: [one.tenant for one in eu.points_of("residence")], ["initech"])
    assert {headers["authorization"] for headers in eu.headers} == {"Bearer key-of-the-eu"}
    eventually(lambda: tenants(front, "residence"), {"": 1, "acme": 1})
    eventually(lambda: tenants(front, "residence", "otel_logs", "Body"), {"acme": 1})
    eventually(lambda: tenants(front, "residence", "otel_metrics_gauge", "MetricName"), {"acme": 1})
    eventually(lambda: sorted(str(one.tenant) for one in places["backend"].named("residence")), ["None", "acme"])
    assert places["tempo"].named("residence") == []


def test_the_backend_has_the_interesting_traces(collector, places):
    """Tail sampling keeps whole traces with an error and slow ones for the backend, under its key; ClickHouse has all."""
    failed, slow, dull = b"\1" * 16, b"\2" * 16, b"\3" * 16
    collector.send(
        collector.services,
        request(
            span("acme", name="failed", trace_id=failed, status=ERROR),
            span("acme", name="beside", trace_id=failed),
            span("acme", name="slow", trace_id=slow, milliseconds=6000),
            span("acme", name="dull", trace_id=dull),
        ),
    )
    backend = places["backend"]
    eventually(lambda: sorted(s.name for s in backend.spans if s.name in {"failed", "beside", "slow", "dull"}),
               ["beside", "failed", "slow"])  # fmt: skip
    assert {headers["authorization"] for headers in backend.headers} == {"Bearer key-of-the-backend"}


def test_tempo_knows_each_tenant(collector, places):
    """Spans go under the X-Scope-OrgID of their request, no batch mixes tenants, and another tenant's span does not go."""
    seen = []
    tempo = places["tempo"]
    take = tempo.take

    def taken(body, headers):
        before = len(tempo.spans)
        take(body, headers)
        seen.extend((tempo.headers[-1].get("x-scope-orgid"), one.name, one.tenant) for one in tempo.spans[before:])

    tempo.take = taken
    for who in ("acme", "globex", "acme"):
        assert (
            collector.send(
                collector.services, request(span(who, name="scoped"), span("other", name="scoped")), x_tenant_id=who
            )
            == 200
        )
    assert collector.send(collector.services, request(span("acme", name="scoped"))) == 200
    assert collector.send(collector.tenants, request(span(name="scoped")), x_tenant_id="hooli") == 200
    wanted = [("acme", "scoped", "acme")] * 2 + [("globex", "scoped", "globex"), ("hooli", "scoped", "hooli")]
    eventually(lambda: sorted(seen), wanted)


def test_a_default_for_what_has_no_tenant(tmp_path, front):
    """DEFAULT_TENANT marks what a service sends without one, on every signal, and nothing else."""
    with Collecting(tmp_path, CLICKHOUSE=f"{front}?compress=none", DEFAULT_TENANT="anonymous") as collector:
        assert (
            collector.send(collector.services, request(span(name="defaulted"), span("acme", name="defaulted"))) == 200
        )
        assert collector.send(collector.services, log_request(record(body="defaulted")), "logs") == 200
        assert (
            collector.send(collector.services, metric_request(metric("defaulted", "gauge", as_int=1)), "metrics") == 200
        )
        eventually(lambda: tenants(front, "defaulted"), {"acme": 1, "anonymous": 1})
        eventually(lambda: tenants(front, "defaulted", "otel_logs", "Body"), {"anonymous": 1})
        eventually(lambda: tenants(front, "defaulted", "otel_metrics_gauge", "MetricName"), {"anonymous": 1})


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_tracium_tells_tempo_each_tenant(collector, places, protocol):
    """With TRACIUM_SPLIT_BY_TENANT its spans reach Tempo under the X-Scope-OrgID of their tenant."""
    endpoint = collector.services_grpc if protocol == "grpc" else collector.services
    service = f"split over {protocol}"
    tempo = places["tempo"]
    tempo.headers.clear()
    run_app(endpoint, protocol, TRACIUM_SPLIT_BY_TENANT="true", TRACIUM_SERVICE_NAME=service)
    eventually(
        lambda: sorted(str(one.tenant) for one in tempo.named("GET /") if one.resource["service.name"] == service),
        ["acme", "globex"],
    )
    assert {"acme", "globex"} == {headers.get("x-scope-orgid") for headers in tempo.headers}
