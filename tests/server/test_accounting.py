"""Accounting against a model of its rules in plain Python: whatever is sent, every answer tells the same numbers."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from support.batches import OPERATOR, read_traces
from support.otlp_requests import model_call, request, span
from support.workload import OF_CALLS, OF_REQUESTS, numbers_of, requests_of, told, workload

from tracium.server import queries
from tracium.server.queries import Bucket, Question, TenantFilter
from tracium.server.timerange import TimeRange

ALL = (*OF_REQUESTS, *OF_CALLS)
# From the beginning of the workload: all of it, what is cut at both ends, what lies within one quarter of an hour.
RANGES = (
    (timedelta(), timedelta(hours=3)),
    (timedelta(minutes=31, seconds=7), timedelta(minutes=121, microseconds=1)),
    (timedelta(minutes=61), timedelta(minutes=65)),
    (timedelta(minutes=50), timedelta(minutes=70)),
)
OPENAI = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}


def put(store, *spans):
    store.commit([read_traces(request(*spans).SerializeToString())])


def put_ours(store, *spans):
    message = request(*spans)
    message.resource_spans[0].resource.attributes.add(key="telemetry.distro.name").value.string_value = "tracium"
    store.commit([read_traces(message.SerializeToString())])


def row_of(store, tenant, time_range):
    (row,) = queries.tenants(store, OPERATOR, Question(time_range, TenantFilter.only(tenant))).rows
    return row


@pytest.fixture
def tenant():
    return f"accounted-{uuid.uuid4()}"


@pytest.fixture
def hours():
    """Three hours of its own."""
    start = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(hours=3 * random.Random(uuid.uuid4().int).randrange(70_000))
    return TimeRange(start, start + timedelta(hours=3))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(2))
def test_all_answers_agree_with_the_rules(store, tenant, hours, seed):
    """Tenants, totals, courses, models and bills of any range have the model's numbers, and one and the same cost."""
    rng = random.Random(seed)
    sent = workload(rng, hours.start_ns, 300, f"{tenant}/")
    put_in_parts(store, rng, sent)
    for start, end in RANGES:
        asked = TimeRange(hours.start + start, hours.start + end)
        question = Question(asked)
        expected = numbers_of(sent, asked.start_ns, asked.end_ns, lambda one: one.tenant)
        rows = queries.tenants(store, OPERATOR, question).rows
        assert {row.tenant: told(row, ALL) for row in rows} == {
            name: {key: found[key] for key in ALL} for name, found in expected.items()
        }
        everything = numbers_of(sent, asked.start_ns, asked.end_ns, lambda _: "all")["all"]
        assert told(queries.overview(store, OPERATOR, question).totals, ALL) == {key: everything[key] for key in ALL}
        errors = queries.errors(store, OPERATOR, question, limit=1000).rows
        assert sum(one.count for one in errors) == everything["span_errors"]
        wanted = {key: everything[key] for key in OF_CALLS}, *money_of(rows)
        for name, parts in in_parts(store, question).items():
            assert (summed(parts, OF_CALLS), *money_of(parts)) == wanted, name
        unpriced = queries.unpriced(store, OPERATOR, question).rows
        assert sum(one.model_calls for one in unpriced) == wanted[2]


def put_in_parts(store, rng, sent):
    """In any order, in requests of any size, some of them twice."""
    shuffled = rng.sample(sent, len(sent))
    while shuffled:
        size = rng.randrange(1, 60)
        batch = read_traces(requests_of(shuffled[:size]).SerializeToString())
        del shuffled[:size]
        store.commit([batch])
        if rng.random() < 0.3:
            store.commit([batch])


def in_parts(store, question):
    """The model calls of a question, however they can be taken apart."""
    courses = {
        f"{bucket} in {zone}": queries.overview(
            store, OPERATOR, replace(question, timezone=zone), bucket=bucket, compare=False
        ).rows
        for bucket, zone in ((Bucket.QUARTER, "UTC"), (Bucket.DAY, "Asia/Kathmandu"))
    }
    return {
        "models": queries.models(store, OPERATOR, question).rows,
        "bill": queries.usage_export(store, OPERATOR, question).rows,
        **courses,
    }


def summed(rows, names):
    return {name: sum(getattr(row, name) or 0 for row in rows) for name in names}


def money_of(rows):
    return sum((row.cost or 0 for row in rows), Decimal(0)), sum(row.unpriced_calls for row in rows)


@pytest.mark.timeout(300)
def test_traces_add_up_to_the_tenants(store, tenant, hours):
    """The pages of traces hold each trace once, and calls, tokens and cost of the traces are those of the tenants."""
    rng = random.Random(7)
    sent = workload(rng, hours.start_ns, 200, f"{tenant}/")
    put_in_parts(store, rng, sent)
    for start, end in RANGES:
        asked = TimeRange(hours.start + start, hours.start + end)
        expected = {one.trace_id.hex() for one in sent if asked.start_ns <= one.end < asked.end_ns}
        assert sorted(listed(store, Question(asked))) == sorted(expected)
    traces = [
        queries.trace(store, OPERATOR, trace_id, TenantFilter(), details=False)
        for trace_id in listed(store, Question(hours))
    ]
    rows = queries.tenants(store, OPERATOR, Question(hours)).rows
    names = ("model_calls", "unknown_usage", "input_tokens", "output_tokens")
    assert (summed(traces, names), *money_of(traces)) == (summed(rows, names), *money_of(rows))


def listed(store, question):
    ids, after = [], None
    while True:
        page = queries.traces(store, OPERATOR, question, limit=10, after=after)
        ids += [row.trace_id for row in page.rows]
        if (after := page.next) is None:
            return ids


def test_a_call_without_a_price_takes_it_from_no_other_one(store, tenant, hours):
    """Of calls of one model in one quarter of an hour those that used what has no price are unpriced, and only those."""
    embedding = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "text-embedding-3-small"}
    for place in (put, put_ours):
        for tokens in ((1000, 0), (1000, 5), (1000, None)):
            call = model_call(tenant, end=hours.start_ns, tokens=tokens)
            call.attributes.extend(span(attributes=embedding).attributes)
            place(store, call)
    row = row_of(store, tenant, hours)
    assert (row.model_calls, row.unpriced_calls, row.cost) == (6, 2, Decimal("0.00008"))


def test_a_number_of_tokens_that_no_call_can_have(store, tenant, hours):
    """It is not known; added up, such numbers would run over."""
    for place in (put, put_ours):
        place(store, *(model_call(tenant, end=hours.start_ns, tokens=(2**63 - 1, 10**12 - 1)) for _ in range(3)))
    row = row_of(store, tenant, hours)
    assert (row.input_tokens, row.unknown_input, row.output_tokens) == (None, 6, 6 * (10**12 - 1))


def test_the_share_of_errors_is_that_of_what_happened(store, tenant, hours):
    """Sampled requests stand for others; what is there for its error's sake alone stands for itself, and has no say in latency."""
    tenth = "ot=th:e6666666666668"
    kept = [span(tenant, end=hours.start_ns, milliseconds=100, trace_state=tenth) for _ in range(9)]
    failed = span(tenant, end=hours.start_ns, milliseconds=100, trace_state=tenth)
    failed.status.code = 2
    put(store, *kept, failed)
    row = row_of(store, tenant, hours)
    assert (row.requests, row.errors, round(row.estimated_requests), row.error_rate) == (10, 1, 100, pytest.approx(0.1))
    for _ in range(9):
        rescued = span(tenant, end=hours.start_ns, milliseconds=9000, attributes={"tracium.sampled.reason": "error"})
        rescued.status.code = 2
        put(store, rescued)
    row = row_of(store, tenant, hours)
    assert (row.requests, row.errors, round(row.estimated_requests)) == (19, 10, 100)
    assert (row.error_rate, row.p99_ms) == (pytest.approx(0.1), pytest.approx(100, rel=0.01))


def test_who_has_recorded_usage_only_was_seen(store, tenant, hours):
    """Usage that was recorded by hand is no span that counts, but a sign of life."""
    recorded = model_call(tenant, end=hours.start_ns, tokens=(1, 1))
    recorded.attributes.add(key="tracium.usage.recorded").value.bool_value = True
    put_ours(store, recorded)
    row = row_of(store, tenant, hours)
    assert (row.spans, row.model_calls, row.last_seen) == (0, 1, hours.start)


def test_openinference_embeddings_have_a_model(store, tenant, hours):
    """OpenInference calls it otherwise than a language model's, and the provider a system."""
    told_so = {
        "openinference.span.kind": "EMBEDDING",
        "embedding.model_name": "text-embedding-3-small",
        "llm.system": "openai",
        "llm.token_count.prompt": 1000,
    }
    put(store, span(tenant, end=hours.start_ns, attributes=told_so))
    (row,) = queries.models(store, OPERATOR, Question(hours, TenantFilter.only(tenant))).rows
    assert (row.provider, row.model, row.cost) == ("openai", "text-embedding-3-small", Decimal("0.00002"))
