"""What is erased is gone, stays away, and takes nothing else along."""

from __future__ import annotations

import contextlib
import json
import re
import struct
import time
import uuid
from datetime import UTC, datetime

import lz4.block
import pytest
import zstandard
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from support.batches import read_logs, read_metrics, read_traces
from support.otlp_requests import model_call, request, span
from support.serving import Serving
from support.storing import run_store

from tracium.server.keeping.erasure import Eraser
from tracium.server.keeping.expiry import Expiry
from tracium.server.keeping.held import HELD
from tracium.server.keeping.subject import Person, SubjectKey
from tracium.server.keeping.tombstones import Tombstone, Tombstones
from tracium.server.keeping.views import definitions
from tracium.server.scope import TenantScope

MINUTE_NS = 60 * 10**9


@pytest.fixture
def tenant():
    return f"tenant-{uuid.uuid4()}"


def traces(*spans):
    return read_traces(request(*spans).SerializeToString())


def seen(store, tenant, table="otel_traces", what="count()"):
    (row,) = store.rows(TenantScope.of(tenant), f"SELECT {what} AS n FROM {table}")
    return row["n"]


def there(store, tenant, table="otel_traces"):
    sql = f"SELECT count() AS n FROM {table} WHERE TenantId = {{tenant:String}}"
    return store.maintenance.rows(sql, {"tenant": tenant})[0]["n"]


def test_every_table_with_tenants_is_held(store):
    """No table that names tenants is forgotten by the wall, the retention or an erasure."""
    rows = store.maintenance.rows(
        "SELECT table AS Name, countIf(name = 'UserId') AS Users FROM system.columns "
        "WHERE database = currentDatabase() GROUP BY Name HAVING countIf(name = 'TenantId') > 0"
    )
    found = {row["Name"]: bool(row["Users"]) for row in rows}
    settings_and_ways = {"tracium_retention", "tracium_spans", "otel_traces_to_tracium_spans"}
    views = {name for name in found if "_to_" in name}
    assert {name: users for name, users in found.items() if name not in settings_and_ways | views} == {
        table.name: table.has_users for table in HELD
    }


def test_the_views_are_those_of_the_migrations(store):
    """What is put around a view is put around what the store has."""
    for name, query in definitions().items():
        (row,) = store.maintenance.rows(
            "SELECT as_select AS Has, formatQuerySingleLine({query:String}) AS Wanted FROM system.tables "
            "WHERE database = currentDatabase() AND name = {name:String}",
            {"name": name, "query": query},
        )
        has = row["Has"].replace("default.", "").split(" SETTINGS ")[0]
        if "sipHash64Keyed" not in has:
            assert len(has) == pytest.approx(len(row["Wanted"]), rel=0.05)


def test_a_tenant(store, tenant):
    """All of it goes, with its roll-ups; late arrivals and re-sends stay out, what ends later is kept, others too."""
    other = f"{tenant}-other"
    sent = traces(span(tenant), model_call(tenant, tokens=(7, 1)), span(other))
    store.commit([sent])
    receipt = Eraser(store).erase(Person(tenant, None))
    assert {table: rows for table, rows in receipt.rows.items() if rows} == {
        "otel_traces": 2,
        "tracium_requests_15m": 1,
        "tracium_calls": 1,
    }
    assert receipt.files_removed
    late = time.time_ns() - 5 * MINUTE_NS
    store.commit([sent, traces(span(tenant, end=late), span(other, end=late)), traces(span(tenant))])
    assert [there(store, tenant, table.name) for table in HELD if table.name.startswith(("otel_t", "tracium_req"))] == [
        1,
        1,
    ]
    assert seen(store, tenant, "tracium_requests_15m", "sum(Spans)") == 1
    assert (seen(store, other), seen(store, other, "tracium_requests_15m", "sum(Spans)")) == (2, 2)


def test_a_user(store, tenant):
    """Only the rows that carry the user's id go; of one tenant if it is named."""
    other = f"{tenant}-other"
    user = {"user.id": f"user of {tenant}"}
    store.commit([traces(span(tenant, attributes=user), span(tenant), span(other, attributes=user))])
    Eraser(store).erase(Person(tenant, user["user.id"]))
    assert (there(store, tenant), there(store, other)) == (1, 1)
    store.commit([traces(*(span(one, attributes=user, end=time.time_ns() - MINUTE_NS) for one in (tenant, other)))])
    assert (there(store, tenant), there(store, other)) == (1, 2)
    receipt = Eraser(store).erase(Person(None, user["user.id"]))
    assert (receipt.rows["otel_traces"], there(store, other)) == (2, 0)
    assert any("name no user" in note for note in receipt.kept)


def test_what_the_collector_writes_late(store, tenant):
    """Rows that do not pass the receiver are hidden at once and then removed, and no roll-up counts them."""
    Eraser(store).erase(Person(tenant, None))
    store.write(
        "INSERT INTO otel_traces (Timestamp, TraceId, SpanId, SpanName, SpanKind, ServiceName, SpanAttributes, Duration) "
        "SELECT now64(9) - toIntervalMinute(arrayJoin([5, -5])), 'ab', 'cd', 'x', 'Server', 'shop', "
        "map('tenant.id', {tenant:String}), 0",
        {"tenant": tenant},
    )
    assert (seen(store, tenant), there(store, tenant)) == (1, 2)
    assert seen(store, tenant, "tracium_requests_15m", "sum(Spans)") == 1
    Expiry(store).tidy()
    assert (seen(store, tenant), there(store, tenant)) == (1, 1)


def test_an_erasure_that_was_interrupted(store, tenant):
    """The next process finishes what was only begun."""
    store.commit([traces(span(tenant))])
    key = SubjectKey.of(store)
    subject = key.of_store(store, Person(tenant, None))
    begun = Tombstone(uuid.uuid4().hex, subject, datetime.now(UTC), is_done=False)
    Tombstones(store).note(begun, {})
    Expiry(store).tidy()
    assert [there(store, tenant, table.name) for table in HELD] == [0] * len(HELD)
    assert next(one for one in Tombstones(store).all() if one.id == begun.id).is_done


@pytest.mark.parametrize(("tenant", "user"), [(None, None), ("", None), ("acme", ""), ("org_1:*", None)])
def test_nobody(tenant, user):
    """An erasure of nobody, or of a pattern, is a mistake."""
    with pytest.raises(ValueError, match=r"say whose data|is a pattern|no tenant but a pattern"):
        Person(tenant, user)


def logs_and_metrics(tenant, at):
    logs, metrics = ExportLogsServiceRequest(), ExportMetricsServiceRequest()
    record = logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=at)
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    for item in (record, metric.gauge.data_points.add(time_unix_nano=at, as_double=1)):
        item.attributes.add(key="tenant.id").value.string_value = tenant
    return read_logs(logs.SerializeToString()), read_metrics(metrics.SerializeToString())


def test_logs_and_metrics(store, tenant):
    """They go with the spans, what is late stays out, and what comes later is kept."""

    def rows():
        return there(store, tenant, "otel_logs"), there(store, tenant, "otel_metrics_gauge")

    def put(at):
        for batch in logs_and_metrics(tenant, at):
            store.commit([batch])

    put(time.time_ns())
    assert rows() == (1, 1)
    Eraser(store).erase(Person(tenant, None))
    assert rows() == (0, 0)
    put(time.time_ns() - MINUTE_NS)
    assert rows() == (0, 0)
    put(time.time_ns())
    assert rows() == (1, 1)


def test_no_byte_is_left(tmp_path):
    """After `tracium store delete` through a running server no file of the store holds a word of the tenant."""
    tenant, prompt, answer = "acme-of-canary", "what the canary asked", "what the other one asked"
    with Serving(tmp_path) as server:
        asked = {"gen_ai.input.messages": prompt}
        sent = request(span(tenant, attributes=asked), span("other", attributes={"gen_ai.input.messages": answer}))
        assert server.send(sent.SerializeToString())[0] == 200
        receipt = json.loads(run_store("delete", "--tenant", tenant, "--yes", "--json", data=tmp_path))
        assert (receipt["tenant"], receipt["rows"]["otel_traces"]) == (tenant, 1)
        audit = server.ask("GET", "/api/v1/audit")[2].decode()
        assert "store.delete" in audit
        assert f"{receipt['id']}" in audit
        assert tenant not in audit
        assert server.end() == 0
    files = _unpacked(tmp_path)
    assert answer.encode() in files
    assert tenant.encode() not in files
    assert prompt.encode() not in files


def _unpacked(directory):
    """The bytes of every file, and those of every compressed block in one."""
    return b"\n".join(_with_blocks(path.read_bytes()) for path in directory.rglob("*") if path.is_file())


def _with_blocks(raw):
    # A block: method, size with these nine bytes, size when unpacked.
    # https://github.com/ClickHouse/ClickHouse/blob/master/src/Compression/CompressionInfo.h
    unpacked = [raw]
    for found in re.finditer(rb"[\x82\x90](?=.{8})", raw, re.DOTALL):
        size, plain = struct.unpack_from("<II", raw, found.start() + 1)
        if 9 < size <= len(raw) - found.start() and plain < 2**24:
            packed = raw[found.start() + 9 : found.start() + size]
            with contextlib.suppress(lz4.block.LZ4BlockError, zstandard.ZstdError):
                unpacked.append(
                    lz4.block.decompress(packed, uncompressed_size=plain)
                    if found[0] == b"\x82"
                    else zstandard.ZstdDecompressor().decompress(packed, max_output_size=plain)
                )
    return b"\n".join(unpacked)
