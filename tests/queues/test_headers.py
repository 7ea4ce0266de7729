"""The tenant and the trace in the headers of a message, in every form in which queues have them."""

from __future__ import annotations

import json
from collections import deque
from types import MappingProxyType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry.context import Context, attach
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, get_current_span, set_span_in_context
from support.app import environment, run_app

import tracium
from tracium.queues import inject, message
from tracium.queues.headers import GETTER, inject_from

tenants = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=255)
SPAN = SpanContext(0x1234, 0x5678, is_remote=False, trace_flags=TraceFlags(1))
TRACEPARENT = f"00-{SPAN.trace_id:032x}-{SPAN.span_id:016x}-01"

# How a message is made, and what a consumer of it may be given.
SENT = {"dict": dict, "list": list}
RECEIVED = {
    "as it was sent": lambda headers: headers,
    "str": lambda headers: {name: _text(value) for name, value in _pairs(headers)},
    "bytes": lambda headers: {name: _text(value).encode() for name, value in _pairs(headers)},
    "lists": lambda headers: {name: [_text(value)] for name, value in _pairs(headers)},
    "pairs": lambda headers: [[name, value] for name, value in _pairs(headers)],
    "tuple": lambda headers: tuple(_pairs(headers)),
    "names of bytes": lambda headers: [(name.encode(), value) for name, value in _pairs(headers)],
    "other case": lambda headers: {name.title(): value for name, value in _pairs(headers)},
    "among others": lambda headers: [("a", None), ("b", 7), (None, b""), *_pairs(headers), ("c", b"\xff")],
    "a view": lambda headers: MappingProxyType(dict(_pairs(headers))),
    "items": lambda headers: dict(_pairs(headers)).items(),
}


def _pairs(headers):
    return list(headers.items() if isinstance(headers, dict) else headers)


def _text(value):
    return value if isinstance(value, str) else value.decode()


def context_of(tenant, **others):
    context = set_span_in_context(NonRecordingSpan(SPAN), Context())
    for name, value in others.items():
        context = baggage.set_baggage(name, value, context)
    return context if tenant is None else baggage.set_baggage("tenant.id", tenant, context)


def seen(headers):
    """What code in a message's block sees: its tenant, and the trace that it is in."""
    with message(headers):
        return tracium.get_current_tenant(), get_current_span().get_span_context().trace_id


@pytest.mark.parametrize("received", RECEIVED)
@pytest.mark.parametrize("sent", SENT)
def test_every_tenant_arrives_as_it_was_sent(sent, received):
    """Whatever the form of the headers, before and after."""

    @given(tenants, st.integers(0, 9000))
    @example(" acme ", 0)
    @example("a+b,c;d=e%f", 10)
    @example("😀" * 255, 4000)
    def check(tenant, other):
        headers = SENT[sent]()
        inject_from(context_of(tenant, big="x" * other), headers)
        assert seen(RECEIVED[received](headers)) == (tenant, SPAN.trace_id)

    check()


def test_a_dict_gets_strings_and_a_list_bytes():
    """As the clients take them; what is written is what other tools read."""
    attach(context_of("org_1:ws 2"))
    headers, pairs = {}, []
    inject(headers)
    inject(pairs)
    assert headers == {"traceparent": TRACEPARENT, "baggage": "tenant.id=org_1%3Aws%202"}
    assert pairs == [("traceparent", TRACEPARENT.encode()), ("baggage", b"tenant.id=org_1%3Aws%202")]


@pytest.mark.parametrize("now", ["globex", None])
@pytest.mark.parametrize(
    "stale",
    [
        {"baggage": "tenant.id=acme", "traceparent": "00-1", "TraceState": "x=1", "mine": "1"},
        {"Baggage": "color=blue,tenant.id=acme", "BAGGAGE": "tenant.id=acme", "mine": "1"},
        {"baggage": b"tenant.id=acme", "mine": "1"},
        [("mine", "1"), ("baggage", b"tenant.id=acme"), ("baggage", b"tenant.id=initech"), ("traceparent", b"00-1")],
        [["Baggage", "tenant.id=acme"], ("mine", "1")],
        [("mine", "1"), (b"baggage", b"tenant.id=acme")],
        {b"Baggage": b"tenant.id=acme", "mine": "1"},
    ],
)
def test_what_an_earlier_message_left_is_taken_out(stale, now):
    """A consumer that passes its message's headers on sends for whom it works now, or for nobody."""
    headers = stale.copy()
    inject_from(context_of(now), headers)
    assert seen(headers) == (now, SPAN.trace_id)
    assert ("mine", "1") in _pairs(headers)
    again = headers.copy()
    inject_from(context_of(now), again)
    assert again == headers


def test_headers_that_are_used_again_name_the_last_tenant_only():
    """In any order, also none."""
    for headers in ({}, []):
        for tenant in ("acme", None, "globex", "acme", "acme", None):
            with tracium.tenant(tenant):
                inject(headers)
            assert seen(headers)[0] == tenant
            assert len(headers) == (tenant is not None)


def test_two_tenants_are_none():
    """Nobody can say which of them is right."""
    for headers in (
        [("baggage", b"tenant.id=acme"), ("baggage", b"tenant.id=globex")],
        {"baggage": "tenant.id=acme", "Baggage": "tenant.id=globex"},
        {"baggage": ["tenant.id=acme", "tenant.id=globex"]},
        {"baggage": "tenant.id=acme,tenant.id=globex"},
    ):
        attach(context_of("around"))
        assert seen(headers)[0] is None


@pytest.mark.parametrize("wrong", [None, (), "text", b"bytes", 7, {"set"}, deque(), iter([])])
def test_headers_that_nothing_can_be_written_into_are_refused_at_once(wrong):
    """With a sentence that says what to give."""
    with pytest.raises(TypeError, match=r"^tracium\.queues\.inject\(\) takes a dict or a list of .* not \w+: give it "):
        inject(wrong)


@given(st.lists(st.tuples(st.sampled_from(["baggage", "Baggage", "traceparent", "tracestate", "x"]), st.binary())))
@example([("baggage", b"\xff,tenant.id=acme")])
def test_arbitrary_bytes_never_raise_and_never_give_a_tenant_that_is_not_there(headers):
    """Nor that of whoever is around."""
    attach(context_of("around"))
    tenant, _ = seen(headers)
    assert tenant is None or b"tenant.id=" in b"".join(value for _, value in headers)


def test_baggage_that_is_no_text_does_not_stop_what_is_sent_next():
    """A byte of a stranger's must not make the app's own call fail."""
    from opentelemetry.propagate import inject as plain

    with message([("baggage", b"color=\xff,tenant.id=acme")]):
        assert tracium.get_current_tenant() == "acme"
        plain({})
        headers = []
        inject(headers)
    assert seen(headers)[0] == "acme"


def test_the_getter_reads_what_is_text():
    """And tells what there is."""
    carrier = [("A", "1"), ("a", b"2"), (b"a", ["3", b"4"]), ("a", None), ("a", 5), (6, "x")]
    assert GETTER.get(carrier, "a") == ["1", "2", "3", "4"]
    assert GETTER.get(carrier, "b") is None
    assert GETTER.get(None, "a") is None
    assert GETTER.keys(None) == []
    assert GETTER.keys({"a": 1}) == ["a"]


CARRIES = """
import json
import tracium
{start}
from opentelemetry import baggage, context, trace
from tracium.queues import inject, message

context.attach(baggage.set_baggage("color", "blue"))
tracer = trace.get_tracer("app")
seen = []
for headers in ({{}}, []):
    with tracium.tenant(" a+b "), tracer.start_as_current_span("request") as request:
        inject(headers)
    with message(headers) as span:
        trace_ids = {{each.get_span_context().trace_id for each in (request, span)}}
        seen.append([tracium.get_current_tenant(), len(trace_ids) == 1, baggage.get_baggage("color")])
    seen.append([tracium.get_current_tenant(), trace.get_current_span().get_span_context().is_valid])
print(json.dumps(seen))
"""
TRACE = "tracium.trace()"


@pytest.mark.parametrize(
    ("start", "variables", "trace", "color"),
    [
        ("", {}, True, "blue"),
        ("", {"OTEL_PROPAGATORS": "none"}, True, None),
        (TRACE, {}, True, "blue"),
        (TRACE, {"OTEL_PROPAGATORS": "none"}, False, None),
        (TRACE, {"OTEL_PROPAGATORS": "tracecontext"}, True, None),
        (TRACE, {"OTEL_PROPAGATORS": "baggage"}, False, "blue"),
        (TRACE, {"OTEL_TRACES_SAMPLER": "always_off"}, True, "blue"),
        (TRACE, {"OTEL_SDK_DISABLED": "true"}, True, "blue"),
        ("tracium.init(default_tenant='anonymous')", {}, True, "blue"),
    ],
)
def test_it_is_carried_however_the_app_is_set_up(start, variables, trace, color):
    """With other propagators or none, unsampled, disabled, and without anything of OpenTelemetry's set up."""
    ended = run_app(CARRIES.format(start=start), environment(OTEL_TRACES_EXPORTER="none", **variables))
    assert json.loads(ended.stdout) == [[" a+b ", trace, color], [None, False]] * 2
    assert ended.stderr == ""
