"""No answer to a tenant has anything of another one, whatever there is and whatever is asked."""

from __future__ import annotations

import os
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.asking import every_answer, text_of
from support.batches import OPERATOR, read_traces
from support.otlp_requests import fill, model_call, request, span

from tracium.server import queries
from tracium.server.queries import Question, TenantFilter
from tracium.server.scope import TenantScope
from tracium.server.timerange import TimeRange

START = datetime(2026, 4, 1, 12, tzinfo=UTC)
# Its edges are read from spans, its middle from the roll-ups.
RANGE = TimeRange(START + timedelta(minutes=7), START + timedelta(hours=2, minutes=3))
KINDS = st.sampled_from(["request", "inner", "chat", "embeddings", "recorded"])
SPANS = st.lists(
    st.tuples(KINDS, st.integers(0, 8000), st.booleans(), st.integers(0, 2), st.integers(0, 5000)),
    min_size=1,
    max_size=8,
)


def put(store, *spans, service="shop"):
    store.commit([read_traces(request(*spans, service=service).SerializeToString())])


def made(tenant, drawn, traces, word):
    """Spans as they were drawn, with a word in every field that takes one."""
    kind, second, failed, trace, tokens = drawn
    end = RANGE.start_ns + second * 10**9
    options = {"end": end, "trace_id": traces[trace], "milliseconds": 1 + tokens % 900}
    if kind in {"chat", "embeddings", "recorded"}:
        one = model_call(tenant, operation=kind, tokens=(tokens, tokens // 2), **options)
    else:
        one = span(tenant, kind=2 if kind == "request" else 1, **options)
    values = {"session.id": word, "user.id": word, "gen_ai.agent.name": word, "gen_ai.request.model": word}
    values |= {"gen_ai.input.messages": word, "note": word, word: "x", "error.type": word}
    if kind == "recorded":
        values["tracium.usage.recorded"] = True
    for key, value in values.items():
        fill(one.attributes.add(key=key).value, value)
    one.name = word
    one.status.message = word
    one.status.code = 2 if failed else 0
    one.events.add(name=word, time_unix_nano=end).attributes.add(key=word).value.string_value = word
    return one


@given(mine=SPANS, other=SPANS, nobodys=SPANS)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
def test_nobody_changes_what_a_tenant_sees(store, mine, other, nobodys):
    """Every answer is that of a store that only ever had the tenant's own spans, in the same traces and sessions, too."""
    run = uuid.uuid4().hex
    us, them, canary = f"a-{run}", f"a-{run}-x", f"canary{run}"
    traces = [os.urandom(16) for _ in range(3)]
    spans = {
        us: [made(us, one, traces, "ours") for one in mine],
        them: [made(them, one, traces, canary) for one in other],
        None: [made(None, one, traces, canary) for one in nobodys],
    }
    asked = {
        "trace_ids": [trace.hex() for trace in traces[:2]],
        "span_ids": [one.span_id.hex() for sent in spans.values() for one in sent[:1]][:2],
        "sessions": ["ours", canary],
        "tenants": (us, them),
        "texts": ("ours", canary),
    }
    asker = replace(OPERATOR, id="a", scope=TenantScope.of(us))
    put(store, *spans[us])
    # What is seen first has its prices looked up.
    alone = every_answer(store, asker, RANGE, **asked)
    put(store, *spans[them], service=canary)
    put(store, *spans[None], service=canary)
    among = every_answer(store, asker, RANGE, **asked)
    assert among == alone
    assert canary not in text_of({name: one for name, one in among.items() if not name.startswith("session")})
    assert among["tenants"]["rows"][0]["tenant"] == us


def test_a_tenant_that_may_not_be_seen_is_one_that_does_not_exist(store):
    """Both give the same answer, to the last byte but the name."""
    us, them, nobody = (f"{name}-{uuid.uuid4()}" for name in ("us", "them", "nobody"))
    put(store, model_call(us, end=RANGE.start_ns), model_call(them, end=RANGE.start_ns))
    asker = replace(OPERATOR, scope=TenantScope.of(us))
    for name in (them, nobody):
        asked = Question(RANGE, TenantFilter.only(name))
        assert queries.tenants(store, asker, asked).rows == ()
        assert queries.traces(store, asker, asked).rows == ()
        assert queries.usage_over_time(store, asker, asked, name, queries.Bucket.DAY).rows == ()


def test_a_mixed_trace_shows_the_tenants_part(store):
    """Its other spans are not there, and a parent among them is an unknown one."""
    us, them = f"us-{uuid.uuid4()}", f"them-{uuid.uuid4()}"
    trace = os.urandom(16)
    root = span(them, end=RANGE.start_ns, trace_id=trace)
    below = span(us, end=RANGE.start_ns, trace_id=trace, parent=root.span_id, kind=1)
    put(store, root, below)
    whole = queries.trace(store, OPERATOR, trace.hex(), TenantFilter())
    part = queries.trace(store, replace(OPERATOR, scope=TenantScope.of(us)), trace.hex(), TenantFilter())
    assert (len(whole.rows), whole.tenants, whole.has_root) == (2, (them, us), True)
    assert [(row.tenant, row.has_parent) for row in part.rows] == [(us, False)]
    assert (part.has_root, part.tenants) == (False, (us,))
    listed = queries.traces(store, replace(OPERATOR, scope=TenantScope.of(us)), Question(RANGE))
    assert [(row.trace_id, row.spans, row.has_root) for row in listed.rows] == [(trace.hex(), 1, False)]


def test_hierarchy_matches_at_the_colon_only(store):
    """``org:*`` is what begins with ``org:``, and neither the organisation itself nor one whose name begins alike."""
    org = f"org_{uuid.uuid4().hex}"
    for name in (org, f"{org}:a", f"{org}:a:b", f"{org}2", f"{org}2:a"):
        put(store, span(name, end=RANGE.start_ns))
    rows = queries.tenants(store, OPERATOR, Question(RANGE, TenantFilter.of(f"{org}:*")), sort="tenant").rows
    assert {row.tenant for row in rows} == {f"{org}:a", f"{org}:a:b"}


@pytest.mark.parametrize("grants", [(), ("attributes",), ("content",), ("stacktraces",), ("cost",)])
def test_what_is_not_granted_is_not_shown(store, grants):
    """Money, content, attributes and stack traces are each shown to who was granted them."""
    from tracium.server.access.principal import Grant

    us = f"us-{uuid.uuid4()}"
    call = model_call(us, end=RANGE.start_ns, tokens=(1000, 1000))
    for key, value in {
        "gen_ai.input.messages": "the secret prompt",
        "note": "an attribute",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "session.id": us,
    }.items():
        fill(call.attributes.add(key=key).value, value)
    event = call.events.add(name="exception", time_unix_nano=RANGE.start_ns)
    event.attributes.add(key="exception.stacktrace").value.string_value = "File x, line 1"
    call.status.code, call.status.message = 2, "it failed\nFile x, line 1"
    put(store, call)
    asker = replace(OPERATOR, scope=TenantScope.of(us), grants=frozenset(map(Grant, grants)))
    answers = every_answer(
        store, asker, RANGE, trace_ids=[call.trace_id.hex()], span_ids=[call.span_id.hex()], sessions=[us]
    )
    text = text_of(answers)
    assert ("the secret prompt" in text) is ("content" in grants)
    assert ("an attribute" in text) is ("attributes" in grants)
    assert ("line 1" in text) is ("stacktraces" in grants)
    assert (answers["tenants"]["rows"][0]["cost"] is not None) is ("cost" in grants)
    assert answers["tenants"]["rows"][0]["input_tokens"] == 1000
