"""tracium's own SDK against `tracium serve`: three signals, one call, the tenant on each."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.serving import Serving
from support.stored import stored

APP = """
import logging
import tracium
from opentelemetry import metrics, trace

tracium.trace(logs=True, metrics=True, tenant_metrics=("gen_ai.*", "shop.orders"))
orders = metrics.get_meter("shop").create_counter("shop.orders")
with trace.get_tracer("shop").start_as_current_span("GET /", kind=trace.SpanKind.SERVER):
    tracium.set_tenant("acme")
    logging.getLogger("shop").warning("made")
    orders.add(2)
tracium.shutdown()
"""


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_three_signals(tmp_path, protocol):
    """What an app sends after one call is stored as the tenant's, over either protocol."""
    with Serving(tmp_path) as server:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TRACIUM_"))}
        environ |= {
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_ENDPOINT": server.grpc_url if protocol == "grpc" else server.url,
            "OTEL_EXPORTER_OTLP_INSECURE": "true",
        }
        done = subprocess.run([sys.executable, "-c", APP], env=environ, timeout=60, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert server.end() == 0
    tables = {"otel_traces": "SpanName = 'GET /'", "otel_logs": "Body = 'made'", "otel_metrics_sum": "Value = 2"}
    for table, condition in tables.items():
        sql = f"SELECT TenantId, count() AS n FROM {table} WHERE {condition} GROUP BY TenantId"
        assert stored(tmp_path, sql) == [{"TenantId": "acme", "n": 1}], table
    one_trace = (
        "SELECT uniqExact(TraceId) AS n FROM (SELECT TraceId FROM otel_traces UNION ALL SELECT TraceId FROM otel_logs)"
    )
    assert stored(tmp_path, one_trace) == [{"n": 1}]
