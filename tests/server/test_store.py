"""OTLP → store → query gives the same span."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime

import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.batches import read_traces
from support.go_values import ATTRIBUTES, TEXT, as_text, go_double, go_json
from support.otlp_requests import request, span

from tracium.exceptions import StoreError
from tracium.server.composites import json_text
from tracium.server.location import Directory
from tracium.server.parsing import JSON, PROTOBUF
from tracium.server.scope import TenantScope
from tracium.server.store import Store

SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(store, trace_id, columns="SpanAttributes"):
    sql = f"SELECT {columns} FROM otel_traces WHERE TraceId = {{id:String}}"
    rows = store.rows(TenantScope.all(), sql, {"id": trace_id.hex()})
    assert len(rows) == 1
    return rows[0]


@given(attributes=ATTRIBUTES, name=TEXT, state=TEXT)
@SLOW
def test_protobuf_round_trip(store, attributes, name, state):
    """Every value of every type comes back from protobuf as the Collector's exporter would have written it."""
    sent = span("acme", name=name, trace_state=state, attributes=attributes)
    sent.events.add(name=name, time_unix_nano=7).attributes.extend(sent.attributes)
    link = sent.links.add(trace_id=os.urandom(16), span_id=os.urandom(8), trace_state=state)
    link.attributes.extend(sent.attributes)
    store.commit([read_traces(request(sent).SerializeToString(), PROTOBUF)])
    row = read(
        store,
        sent.trace_id,
        "SpanAttributes, SpanName, TraceState, `Events.Name` AS e, `Events.Attributes` AS ea, `Links.TraceId` AS l, `Links.Attributes` AS la, TenantId",
    )
    expected = {"tenant.id": "acme", **as_text(attributes)}
    assert row["SpanAttributes"] == row["ea"][0] == row["la"][0] == expected
    assert (row["SpanName"], row["TraceState"], row["e"], row["l"]) == (name, state, [name], [link.trace_id.hex()])
    assert row["TenantId"] == "acme"


@given(attributes=ATTRIBUTES)
@SLOW
def test_json_round_trip(store, attributes):
    """The same spans come back when they were sent as OTLP's JSON, with hexadecimal ids."""
    sent = span("acme", parent=os.urandom(8), attributes=attributes)
    store.commit([read_traces(json.dumps(otlp_json(sent)).encode(), JSON)])
    row = read(store, sent.trace_id, "SpanAttributes, SpanId, ParentSpanId")
    assert row["SpanAttributes"] == {"tenant.id": "acme", **as_text(attributes)}
    assert (row["SpanId"], row["ParentSpanId"]) == (sent.span_id.hex(), sent.parent_span_id.hex())


def otlp_json(sent):
    body = json_format.MessageToDict(request(sent))
    for name in ("traceId", "spanId", "parentSpanId"):
        one = body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
        one[name] = base64.b64decode(one[name]).hex()
    return body


def test_every_character_of_an_array_is_written_like_go(store):
    """Control characters, and what JSON may or may not escape, have Go's escapes."""
    sent = span(attributes={"a": ["".join(map(chr, range(256))), "\\u001f\u2028\u2029\\/<&>"]})
    store.commit([read_traces(request(sent).SerializeToString(), PROTOBUF)])
    assert read(store, sent.trace_id)["SpanAttributes"] == {
        "a": go_json(["".join(map(chr, range(256))), "\\u001f\u2028\u2029\\/<&>"])
    }


@given(value=st.floats())
@settings(max_examples=500, deadline=None)
def test_doubles_in_json_are_written_like_go(value):
    """A double inside an array is written with Go's digits and Go's exponent."""
    message = span(attributes={"a": [value]}).attributes[0].value
    assert json_text(message) == go_json([value])


@given(values=st.lists(st.floats(), min_size=200, max_size=400))
@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)
def test_doubles_in_sql_are_written_like_go(store, values):
    """A double that the engine writes has the same digits."""
    sent = span(attributes={str(at): value for at, value in enumerate(values)})
    store.commit([read_traces(request(sent).SerializeToString(), PROTOBUF)])
    assert read(store, sent.trace_id)["SpanAttributes"] == {
        str(at): go_double(value) for at, value in enumerate(values)
    }


def test_columns_of_the_exporter(store):
    """Kinds, status, times and ids have the forms of the Collector's ClickHouse exporter."""
    end = 1_800_000_000_123_456_789
    sent = span("acme", end=end, milliseconds=5, kind=5, parent=b"\1" * 8)
    sent.status.code, sent.status.message = 2, "no"
    store.commit([read_traces(request(sent).SerializeToString(), PROTOBUF)])
    row = read(
        store,
        sent.trace_id,
        "SpanKind, StatusCode, StatusMessage, ServiceName, ScopeName, ScopeVersion, Duration, ParentSpanId, "
        "ResourceAttributes, toUnixTimestamp64Nano(Timestamp) AS start, toUnixTimestamp64Nano(EndTime) AS stop, "
        "IsError, IsRequest, IsModelCall",
    )
    assert row == {
        "SpanKind": "Consumer",
        "StatusCode": "Error",
        "StatusMessage": "no",
        "ServiceName": "shop",
        "ScopeName": "tests",
        "ScopeVersion": "1.0",
        "Duration": 5_000_000,
        "ParentSpanId": "01" * 8,
        "ResourceAttributes": {"service.name": "shop"},
        "start": end - 5_000_000,
        "stop": end,
        "IsError": True,
        "IsRequest": True,
        "IsModelCall": False,
    }


@pytest.mark.parametrize(
    ("kind", "name"), list(enumerate(["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"]))
)
def test_span_kinds(store, kind, name):
    """Each span kind has the exporter's name."""
    sent = span(kind=kind)
    store.commit([read_traces(request(sent).SerializeToString(), PROTOBUF)])
    assert read(store, sent.trace_id, "SpanKind AS k")["k"] == name


def test_model_columns(store):
    """The response's model wins, deprecated keys are read, and what is not said stays NULL."""
    old = span(attributes={"gen_ai.system": "openai", "gen_ai.request.model": "asked", "gen_ai.usage.prompt_tokens": 3})
    new = span(
        attributes={
            "gen_ai.provider.name": "anthropic",
            "gen_ai.system": "old",
            "gen_ai.request.model": "asked",
            "gen_ai.response.model": "answered",
            "gen_ai.usage.input_tokens": 0,
            "gen_ai.usage.completion_tokens": 9,
        }
    )
    store.commit([read_traces(request(old, new).SerializeToString(), PROTOBUF)])
    columns = "Provider, Model, InputTokens, OutputTokens"
    assert list(read(store, old.trace_id, columns).values()) == ["openai", "asked", 3, None]
    assert list(read(store, new.trace_id, columns).values()) == ["anthropic", "answered", 0, 9]


def test_a_span_that_ends_before_it_starts_keeps_its_end(store):
    """A clock that was set back makes no latency of 584 years, and the span still belongs to its end."""
    sent = span(end=1_800_000_000_000_000_000, milliseconds=-5)
    sent.links.add(trace_id=bytes(16), span_id=bytes(8))
    store.commit([read_traces(request(sent).SerializeToString(), PROTOBUF)])
    columns = "Duration, toUnixTimestamp64Nano(EndTime) AS stop, `Links.TraceId` AS traces, `Links.SpanId` AS spans"
    # As the exporter writes both: the two's complement, and no id for one of zeros.
    assert read(store, sent.trace_id, columns) == {
        "Duration": 2**64 - 5_000_000,
        "stop": 1_800_000_000_000_000_000,
        "traces": [""],
        "spans": [""],
    }


def test_rows_of_the_collector(store):
    """The Collector's INSERT, which names its own columns only, fills ours; a negative duration gives the right end."""
    trace_id = os.urandom(16)
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    store._engine.write.insert(
        "otel_traces",
        [[start, trace_id.hex(), "02" * 8, 2**64 - 1_000_000_000, {"tenant.id": "acme"}, "Error"]],
        column_names=["Timestamp", "TraceId", "SpanId", "Duration", "SpanAttributes", "StatusCode"],
    )
    row = read(store, trace_id, "TenantId, IsError, toUnixTimestamp64Milli(EndTime) AS stop")
    assert row == {"TenantId": "acme", "IsError": True, "stop": start.timestamp() * 1000 - 1000}


def test_one_commit_over_many_days(store):
    """A batch of old spans over more days than the engine takes by default is stored whole."""
    trace_id, day = os.urandom(16), 86_400 * 10**9
    spans = [span(trace_id=trace_id, end=1_700_000_000_000_000_000 + at * day) for at in range(150)]
    store.commit([read_traces(request(*spans).SerializeToString(), PROTOBUF)])
    sql = "SELECT count() AS n FROM otel_traces WHERE TraceId = {id:String}"
    rows = store.rows(TenantScope.all(), sql, {"id": trace_id.hex()})
    assert rows == [{"n": 150}]


def test_the_reading_connection_cannot_write(store):
    """A query that would change data is refused by the engine itself."""
    with pytest.raises(StoreError, match="Code: 164"):  # ClickHouse's READONLY
        store.rows(TenantScope.all(), "TRUNCATE TABLE otel_traces")


def test_a_second_store_in_one_directory_is_refused(store, directory):
    """A directory that is open says by whom."""
    with pytest.raises(StoreError, match=rf"in use by process {os.getpid()}"):
        Store(directory)


def test_a_directory_that_cannot_be_made(tmp_path):
    """A data directory below a file is refused with its name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file/data cannot be used: Not a directory"):
        Store(Directory(tmp_path / "file" / "data"))
