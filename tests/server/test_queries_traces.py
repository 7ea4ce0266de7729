"""Pages of traces and tenants, filters, and groups of errors."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from support.batches import OPERATOR, read_traces
from support.otlp_requests import fill, model_call, request, span

from tracium.server import queries
from tracium.server.queries import Bucket, Question, Status, TenantFilter, TraceFilter
from tracium.server.timerange import TimeRange

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
RANGE = TimeRange(START, START + timedelta(days=2))
SECOND = 10**9


@pytest.fixture
def tenant():
    return f"tenant-{uuid.uuid4()}"


def put(store, *spans):
    store.commit([read_traces(request(*spans).SerializeToString())])


def about(tenant, time_range=RANGE):
    return Question(time_range, TenantFilter.only(tenant))


def test_pages_of_traces_hold_each_once(store, tenant):
    """Also where traces overlap, end at one moment and lie hours apart, and where new ones arrive in between."""
    sent = []
    for number in range(23):
        trace = os.urandom(16)
        end = RANGE.start_ns + (number // 3) * 7200 * SECOND
        sent.append(trace.hex())
        put(
            store,
            span(tenant, end=end + SECOND, trace_id=trace),
            span(tenant, end=end - SECOND, trace_id=trace, kind=1),
        )
    seen, after = [], None
    while True:
        page = queries.traces(store, OPERATOR, about(tenant), limit=5, after=after)
        seen += [row.trace_id for row in page.rows]
        put(store, span(tenant, end=RANGE.end_ns - SECOND))
        after = page.next
        if after is None:
            break
    assert sorted(seen) == sorted(sent)


def test_live(store, tenant):
    """What is newer than the newest of a page, and nothing else."""
    put(store, span(tenant, end=RANGE.start_ns + SECOND))
    first = queries.traces(store, OPERATOR, about(tenant))
    later = span(tenant, end=RANGE.start_ns + 2 * SECOND)
    put(store, later)
    newer = queries.traces(store, OPERATOR, about(tenant), after=first.newest, live=True)
    assert later.trace_id.hex() in [row.trace_id for row in newer.rows]


def test_filters(store, tenant):
    """A trace is found by any span that is all of it at once."""
    failed = model_call(tenant, end=RANGE.start_ns + SECOND, milliseconds=700)
    failed.status.code, failed.status.message = 2, "Rate LIMIT reached"
    for key, value in {"gen_ai.response.model": "m-1", "user.id": "ann", "gen_ai.agent.name": "helper"}.items():
        fill(failed.attributes.add(key=key).value, value)
    put(store, failed, span(tenant, end=RANGE.start_ns + SECOND, milliseconds=3))
    for wanted in (
        TraceFilter(status=Status.ERROR, model="m-1"),
        TraceFilter(user="ann", agent="helper", operation="chat"),
        TraceFilter(text="limit R"),
        TraceFilter(minimum_ms=500),
    ):
        found = queries.traces(store, OPERATOR, about(tenant), wanted).rows
        assert [row.trace_id for row in found] == [failed.trace_id.hex()]
    assert queries.traces(store, OPERATOR, about(tenant), TraceFilter(status=Status.OK, model="m-1")).rows == ()
    assert queries.traces(store, OPERATOR, about(tenant), TraceFilter(text="ann")).rows == ()
    assert queries.traces(store, OPERATOR, about(tenant), TraceFilter(text="ann", with_attributes=True)).rows


def test_errors_that_are_alike(store, tenant):
    """Numbers and ids make no difference; types do."""
    spans = []
    for number in range(3):
        one = span(tenant, end=RANGE.start_ns + number * SECOND, attributes={"error.type": "Timeout"})
        one.status.code, one.status.message = 2, f"no answer within {number} s from 0x{number}f"
        spans.append(one)
    other = span(tenant, end=RANGE.start_ns, attributes={"error.type": "Refused"})
    other.status.code = 2
    put(store, *spans, other)
    groups = queries.errors(store, OPERATOR, about(tenant)).rows
    assert [(one.error_type, one.message, one.count) for one in groups] == [
        ("Timeout", "no answer within # s from #", 3),
        ("Refused", "", 1),
    ]
    assert groups[0].example_traces[0] == spans[2].trace_id.hex()


def test_any_range_is_exact(store, tenant):
    """Its two ends are read from spans, its middle from the roll-ups; cut anywhere, the parts make the whole."""
    for minute in range(0, 120, 7):
        put(
            store,
            model_call(tenant, end=RANGE.start_ns + minute * 60 * SECOND, tokens=(minute, 1)),
            span(tenant, end=RANGE.start_ns + minute * 60 * SECOND),
        )
    for first, last in ((0, 120), (1, 119), (7, 8), (7, 7), (3, 14), (15, 30), (14, 46), (20, 29)):
        minutes = [one for one in range(0, 120, 7) if first <= one < last]
        part = TimeRange(START + timedelta(minutes=first), START + timedelta(minutes=last))
        rows = queries.tenants(store, OPERATOR, about(tenant, part)).rows
        found = (rows[0].requests, rows[0].model_calls, rows[0].input_tokens) if rows else (0, 0, 0)
        assert found == (len(minutes), len(minutes), sum(minutes))


def test_days_of_a_time_zone(store, tenant):
    """They begin at its midnight, also on the day on which its clocks change."""
    # Berlin, on 25 October 2026: 25 hours.
    day = datetime(2026, 10, 24, 22, tzinfo=UTC)
    for hours in (-1, 0, 24, 25):
        put(store, model_call(tenant, end=int((day + timedelta(hours=hours)).timestamp()) * SECOND, tokens=(1, 1)))
    asked = Question(
        TimeRange(day - timedelta(days=1), day + timedelta(days=2)), TenantFilter.only(tenant), timezone="Europe/Berlin"
    )
    rows = queries.usage_over_time(store, OPERATOR, asked, tenant, Bucket.DAY).rows
    assert [(row.time, row.model_calls) for row in rows] == [
        (day - timedelta(days=1), 1),
        (day, 2),
        (day + timedelta(hours=25), 1),
    ]
    points = queries.overview(store, OPERATOR, asked, bucket=Bucket.DAY).rows
    assert [point.model_calls for point in points] == [1, 2, 1]


def test_pages_of_tenants(store):
    """Every tenant is on one page, whatever it is sorted by, and what belongs to none is last."""
    window = TimeRange(datetime(2026, 5, 20, tzinfo=UTC), datetime(2026, 5, 21, tzinfo=UTC))
    names = [f"t{number}" for number in range(7)]
    put(
        store,
        span(end=window.start_ns),
        *(span(name, end=window.start_ns) for name in names for _ in range(int(name[1]) % 3 + 1)),
    )
    for sort in ("requests", "tenant", "cost", "p95_ms_change", "last_seen"):
        for ascending in (True, False):
            seen, after = [], None
            while True:
                page = queries.tenants(
                    store, OPERATOR, Question(window), sort=sort, ascending=ascending, limit=3, after=after
                )
                seen += [row.tenant for row in page.rows]
                if (after := page.next) is None:
                    break
            assert seen[-1] is None
            assert sorted(seen[:-1]) == names
            assert page.count == 8
