"""Usage: what counts, for whom, and when."""

from __future__ import annotations

import os
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.batches import OPERATOR, read_traces
from support.otlp_requests import model_call, request, span

from tracium.server import queries
from tracium.server.parsing import PROTOBUF
from tracium.server.scope import TenantScope
from tracium.server.timerange import TimeRange

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = TimeRange(NOON, NOON + timedelta(hours=1))
NOON_NS = int(NOON.timestamp()) * 10**9
TENANTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def put(store, *spans):
    store.commit([read_traces(request(*spans).SerializeToString(), PROTOBUF)])


def report_of(store, time_range, scope=None):
    asker = OPERATOR if scope is None else replace(OPERATOR, scope=scope)
    return queries.usage_report(store, asker, queries.Question(time_range))


def usage_of(store, tenant, time_range=HOUR):
    tenants = report_of(store, time_range, TenantScope.of(tenant)).tenants
    assert [row.tenant for row in tenants] in ([], [tenant])
    return tenants[0] if tenants else None


@pytest.fixture
def tenant():
    return f"tenant-{uuid.uuid4()}"


def test_traces_requests_errors_and_latency(store, tenant):
    """Traces are distinct ids; errors and latency are those of requests, not of the spans below them."""
    trace = os.urandom(16)
    failed = span(tenant, end=NOON_NS, milliseconds=300, trace_id=trace)
    failed.status.code = 2
    inner = span(tenant, end=NOON_NS, milliseconds=9000, trace_id=trace, parent=failed.span_id, kind=1)
    inner.status.code = 2
    put(store, failed, inner, span(tenant, end=NOON_NS, milliseconds=100, kind=1))
    row = usage_of(store, tenant)
    assert (row.traces, row.requests, row.errors) == (2, 2, 1)
    assert (row.spans, row.span_errors, row.error_rate) == (3, 2, 0.5)


def test_latency(store, tenant):
    """Quantiles are those of requests, right to one in a hundred, and None without any."""
    put(store, *(span(tenant, end=NOON_NS, milliseconds=at) for at in range(1, 1002)))
    row = usage_of(store, tenant)
    found = (row.p50_ms, row.p95_ms, row.p99_ms)
    assert found == (pytest.approx(501, rel=0.01), pytest.approx(951, rel=0.01), pytest.approx(991, rel=0.01))
    assert row.model_call_p50_ms is None


def test_model_calls_and_tokens(store, tenant):
    """Inference and embeddings count; an agent's and a tool's totals do not, nor is their latency the calls'."""
    put(
        store,
        model_call(tenant, end=NOON_NS, tokens=(10, 5), milliseconds=40),
        model_call(tenant, end=NOON_NS, tokens=(7, None), operation="embeddings", milliseconds=40),
        model_call(tenant, end=NOON_NS, tokens=(1000, 1000), operation="invoke_agent", milliseconds=9999),
        model_call(tenant, end=NOON_NS, tokens=(1000, 1000), operation="execute_tool"),
    )
    row = usage_of(store, tenant)
    assert (row.model_calls, row.input_tokens, row.output_tokens, row.unknown_usage) == (2, 17, 5, 0)
    assert (row.model_call_p50_ms, row.model_call_p95_ms) == (pytest.approx(40, rel=0.01),) * 2
    assert (row.requests, row.p50_ms) == (0, None)


def test_unknown_usage_is_not_zero(store, tenant):
    """A call that did not say makes the sum a lower bound; where none said, there is no sum."""
    put(store, model_call(tenant, end=NOON_NS), model_call(tenant, end=NOON_NS, tokens=(4, None)))
    row = usage_of(store, tenant)
    assert (row.input_tokens, row.unknown_input) == (4, 1)
    assert (row.output_tokens, row.unknown_output, row.unknown_usage) == (None, 2, 2)


def test_a_request_sent_twice_counts_once(store, tenant):
    """A repetition changes nothing."""
    call, root = model_call(tenant, end=NOON_NS, tokens=(3, 2)), span(tenant, end=NOON_NS)
    put(store, call, root)
    put(store, call, root)
    row = usage_of(store, tenant)
    assert (row.traces, row.requests, row.model_calls, row.input_tokens, row.output_tokens) == (2, 1, 1, 3, 2)


def test_one_call_seen_by_two_instrumentations_counts_once(store, tenant):
    """A framework's span around the client library's span is the same model call, also across a range's border."""
    trace = os.urandom(16)
    outer = model_call(tenant, end=NOON_NS, tokens=(10, 5), trace_id=trace)
    inner = model_call(tenant, end=NOON_NS - 1, tokens=(10, 5), trace_id=trace, parent=outer.span_id)
    search = model_call(
        tenant, end=NOON_NS, tokens=(2, None), trace_id=trace, parent=inner.span_id, operation="embeddings"
    )
    put(store, outer, inner, search)
    before = usage_of(store, tenant, TimeRange(NOON - timedelta(hours=1), NOON))
    after = usage_of(store, tenant)
    assert (before.model_calls, before.input_tokens) == (1, 10)
    assert (after.model_calls, after.input_tokens, after.output_tokens) == (1, 2, 0)


def marked(one, name):
    attribute = one.attributes.add(key=f"tracium.{name}")
    attribute.value.bool_value = True
    return one


def test_usage_that_another_span_tells_is_not_missed_here(store, tenant):
    """The call counts once, on the span that tells it, also where that is the outer one."""
    trace = os.urandom(16)
    outer = model_call(tenant, end=NOON_NS, tokens=(10, 5), trace_id=trace)
    inner = model_call(tenant, end=NOON_NS - 1, trace_id=trace, parent=outer.span_id)
    beside = model_call(tenant, end=NOON_NS, trace_id=trace)
    put(store, outer, marked(inner, "usage.elsewhere"), marked(beside, "usage.elsewhere"))
    row = usage_of(store, tenant, TimeRange(NOON - timedelta(hours=1), NOON + timedelta(hours=1)))
    assert (row.model_calls, row.input_tokens, row.unknown_usage) == (1, 10, 0)


def test_a_part_of_the_usage_is_a_lower_bound(store, tenant):
    """A stream that was thrown away has told some of it."""
    put(store, marked(model_call(tenant, end=NOON_NS, tokens=(10, 1)), "usage.unknown"))
    row = usage_of(store, tenant)
    assert (row.input_tokens, row.unknown_input, row.unknown_output, row.unknown_usage) == (10, 1, 1, 1)


def test_recorded_usage_is_a_call_and_no_request(store, tenant):
    """It has no latency, and what it does not say was not used."""
    recorded = marked(model_call(tenant, end=NOON_NS, tokens=(10, None), operation="batch"), "usage.recorded")
    recorded.ClearField("parent_span_id")
    put(store, recorded)
    row = usage_of(store, tenant)
    assert (row.model_calls, row.input_tokens, row.unknown_usage) == (1, 10, 0)
    assert (row.traces, row.requests, row.model_call_p50_ms) == (0, 0, None)


def test_a_call_of_a_trace_that_was_sampled_out_is_used_up_all_the_same(store, tenant):
    """Its tokens count; the trace is not there."""
    call = marked(model_call(tenant, end=NOON_NS, tokens=(10, 5)), "sampled_out")
    call.ClearField("parent_span_id")
    put(store, call)
    row = usage_of(store, tenant)
    assert (row.traces, row.requests, row.model_calls, row.input_tokens) == (0, 0, 1, 10)


def test_a_span_belongs_to_its_end(store, tenant):
    """A range has its first moment and not its last one, to the nanosecond."""
    put(store, *(span(tenant, end=NOON_NS + at) for at in (-1, 0, 3600 * 10**9 - 1, 3600 * 10**9)))
    assert usage_of(store, tenant).traces == 2


def test_the_same_ids_under_two_tenants(store, tenant):
    """A tenant that sends another one's ids displaces nothing."""
    ids = {"trace_id": os.urandom(16), "span_id": os.urandom(8), "end": NOON_NS}
    put(store, span(tenant, **ids), span(f"{tenant}-evil", **ids))
    assert usage_of(store, tenant).traces == usage_of(store, f"{tenant}-evil").traces == 1


def test_spans_without_a_tenant(store, tenant):
    """They are a row of their own in the whole picture, and in nobody else's."""
    time_range = TimeRange(NOON + timedelta(days=40), NOON + timedelta(days=41))
    put(store, span(end=time_range.start_ns), span(tenant, end=time_range.start_ns))
    report = report_of(store, time_range)
    assert [row.tenant for row in report.tenants] == [tenant, None]
    assert usage_of(store, tenant, time_range).traces == 1


@given(mine=TENANTS, other=TENANTS, secret=st.text(min_size=1, max_size=30))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_scope_sees_another_tenant(store, mine, other, secret):
    """A tenant's answers do not change by what another tenant, whatever its name, has sent."""
    before = report_of(store, HOUR, TenantScope.of(mine))
    put(store, model_call(other, end=NOON_NS, tokens=(7, 7), name=secret))
    after = report_of(store, HOUR, TenantScope.of(mine))
    if mine == other:
        assert after.tenants[0].model_calls == (before.tenants[0].model_calls if before.tenants else 0) + 1
    else:
        assert after == before
    assert {row.tenant for row in after.tenants} <= {mine}


@pytest.mark.parametrize("tenants", [(), ("",), ("acme", "")])
def test_a_scope_names_its_tenants(tenants):
    """There is no scope over nobody, which could be taken for everybody."""
    with pytest.raises(ValueError, match="at least one"):
        TenantScope.of(*tenants)


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("is_ours", [True, False])
@pytest.mark.parametrize("start", [NOON, NOON + 7 * MINUTE], ids=["quarter", "within"])
@pytest.mark.parametrize("end", [NOON + 60 * MINUTE, NOON + 62 * MINUTE], ids=["quarter", "within"])
def test_the_period_before_is_what_it_is_by_itself(store, tenant, is_ours, start, end):
    """Beside the range or asked for alone, it has the same numbers, also where a span was sent twice at several times."""
    twice = {"trace_id": os.urandom(16), "span_id": os.urandom(8)}
    calls = [
        model_call(tenant, end=NOON_NS + minutes * 60 * 10**9, tokens=(minutes + 200, 5), milliseconds=minutes + 200)
        for minutes in (-61, -60, -55, -50, -46, -1, 0, 6, 7, 8, 53, 59, 60, 61)
    ]
    sent = request(
        *calls,
        *(span(tenant, end=NOON_NS + minutes * 60 * 10**9, **twice) for minutes in (-50, -46, 8, 60, 61)),
    )
    if is_ours:
        sent.resource_spans[0].resource.attributes.add(key="telemetry.distro.name").value.string_value = "tracium"
    store.commit([read_traces(sent.SerializeToString(), PROTOBUF)])
    now, before = TimeRange(start, end), TimeRange(start - (end - start), start)
    asker = replace(OPERATOR, scope=TenantScope.of(tenant))
    alone = queries.overview(store, asker, queries.Question(before), compare=False)
    whole = queries.overview(store, asker, queries.Question(now))
    (row,) = queries.tenants(store, asker, queries.Question(now)).rows
    assert alone.totals.model_calls > 2
    for found in (whole.before, row.before):
        for name in ("model_calls", "requests", "errors", "p95_ms", "cost"):
            assert getattr(found, name) == getattr(alone.totals, name), name
    assert whole.totals == queries.overview(store, asker, queries.Question(now), compare=False).totals
    (same,) = queries.tenants(store, asker, queries.Question(now), compare=False).rows
    assert replace(row, before=None) == same
    assert row.model_calls == whole.totals.model_calls == sum(point.model_calls for point in whole.rows)


def test_everybody_beside_some_tenants(store, tenant):
    """All that may be seen is the same beside some tenants and by itself, and no tenant's course has what others did."""
    others = [f"{tenant}-{number}" for number in range(3)]
    time_range = TimeRange(NOON + timedelta(days=50), NOON + timedelta(days=51, minutes=3))
    put(
        store,
        *(
            model_call(
                name, end=time_range.start_ns + 3600 * 10**9 * hour, tokens=(100, 5), milliseconds=100 * hour + 1
            )
            for name in (tenant, *others)
            for hour in (1, 2, 20, 24)
        ),
    )
    asker = replace(OPERATOR, scope=TenantScope.of(tenant, *others))
    question = queries.Question(time_range)
    found = queries.compare(store, asker, question, (others[2], tenant, "nobody"))
    assert found.all == queries.overview(store, asker, question, compare=False).totals
    by_itself = {row.tenant: row for row in queries.usage_report(store, asker, question).tenants}
    assert [row.tenant for row in found.rows] == [others[2], tenant, "nobody"]
    assert list(found.rows[:2]) == [by_itself[others[2]], by_itself[tenant]]
    assert [sum(point.model_calls for point in course.points) for course in found.series] == [4, 4, 0]
    assert {point.time >= time_range.start for course in found.series for point in course.points} == {True}
