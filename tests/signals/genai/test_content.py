"""Prompts and answers go out only where the tenant may have them, redacted, and up to a limit."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import tracium
from tracium import faults, notices, redact_text
from tracium.signals import TenantLogRecordProcessor, tenant_span_processor
from tracium.signals.genai import ContentLogRecordProcessor, ContentPolicy, settle_span
from tracium.signals.genai.content import settle

LIMIT = 32_768
MESSAGES = "gen_ai.input.messages"
CUT, DROPPED = "tracium.content.cut", "tracium.content.dropped"
KEY = "sk-abcdefghijklmnop0123"


class Settling(SpanProcessor):
    def __init__(self, policy, redact, limit):
        self.how = policy, redact, limit

    def _on_ending(self, span):
        settle_span(span, *self.how)


class Site:
    """Spans and log records of a process with these settings."""

    def __init__(self, capture=True, redact=None, limit=LIMIT, default=None, **limits):
        policy = ContentPolicy.of(capture)
        self.spans, self.logs = InMemorySpanExporter(), InMemoryLogRecordExporter()
        provider = TracerProvider(shutdown_on_exit=False, span_limits=SpanLimits(**limits))
        provider.add_span_processor(tenant_span_processor(default))
        provider.add_span_processor(Settling(policy, redact, limit))
        provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.tracer = provider.get_tracer("tests")
        logger_provider = LoggerProvider(shutdown_on_exit=False)
        logger_provider.add_log_record_processor(TenantLogRecordProcessor(default))
        logger_provider.add_log_record_processor(ContentLogRecordProcessor(policy, redact, limit))
        logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self.logs))
        self.logger = logger_provider.get_logger("tests")

    def span(self, attributes, events=()):
        """The attributes of a span that ended, and those of its events."""
        with self.tracer.start_as_current_span("chat m", attributes=attributes) as span:
            for name, values in events:
                span.add_event(name, values)
        ended = self.spans.get_finished_spans()[-1]
        found = {key: value for key, value in ended.attributes.items() if key != "tenant.id"}
        return (found, [dict(event.attributes) for event in ended.events]) if events else found

    def record(self, **made):
        """A log record as it was exported."""
        self.logger.emit(LogRecord(**made))
        return self.logs.get_finished_logs()[-1].log_record


def said(*texts):
    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": text} for text in texts]}])


def contents(messages):
    return [part["content"] for message in json.loads(messages) for part in message["parts"]]


# What instrumentations write, by what becomes of it where content is off.
CONTENT = {
    MESSAGES: said("hello"),
    "gen_ai.output.messages": said("hello"),
    "gen_ai.system_instructions": "hello",
    "gen_ai.tool.definitions": "[]",
    "gen_ai.tool.call.arguments": "{}",
    "gen_ai.tool.call.result": 42,
    "gen_ai.retrieval.query.text": "hello",
    "gen_ai.retrieval.documents": "[]",
    "gen_ai.prompt": "hello",
    "gen_ai.prompt.0.content": "hello",
    "gen_ai.prompt.variable.city": "hello",
    "gen_ai.completion.0.tool_calls.0.arguments": "{}",
    "gen_ai.something.new": "hello",
    "traceloop.entity.input": "hello",
    "input.value": "hello",
    "output.value": "hello",
    "llm.input_messages.0.message.content": "hello",
    "llm.prompts": ("hello",),
    "llm.invocation_parameters": "{}",
    "llm.openai.messages": "hello",
    "retrieval.documents.0.document.content": "hello",
    "embedding.embeddings.0.embedding.text": "hello",
    "mcp.request.argument": "hello",
    "gcp.vertex.agent.llm_request": "{}",
    "anthropic.tool_result.content": "hello",
    "tracium.input": "hello",
    "tracium.output": "hello",
    "pydantic_ai.all_messages": "[]",
    "final_result": "hello",
    "lk.user_transcript": "hello",
}
PLAIN = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m",
    "gen_ai.response.id": "r",
    "gen_ai.response.finish_reasons": ("stop",),
    "gen_ai.usage.input_tokens": 7,
    "gen_ai.something.counted": 7,
    "gen_ai.output.type": "text",
    "gen_ai.prompt.name": "greeting",
    "gen_ai.tool.call.id": "c",
    "llm.token_count.prompt": 7,
    "llm.request.type": "chat",
    "llm.openai.temperature": 0.5,
    "input.mime_type": "text/plain",
    "traceloop.span.kind": "workflow",
    "mcp.method.name": "tools/call",
    "gcp.vertex.agent.event_id": "e",
    "http.route": "/chat",
    "app.note": KEY,
}


def test_content_is_off_unless_somebody_says_otherwise():
    """And nothing else is missing, nor changed; what was found plain is found so again."""
    for capture in (None, False, {}, {"acme": False}):
        site = Site(capture)
        for _ in range(2):
            assert site.span({**CONTENT, **PLAIN}) == PLAIN
    (notice,) = notices.notices()
    assert "'gen_ai.something.new' was taken" in notice.text


def test_content_is_on_with_one_switch():
    """All of it, as it was written."""
    assert Site(True).span({**CONTENT, **PLAIN}) == {**CONTENT, **PLAIN}


def test_names_that_say_nothing_are_content_on_spans_of_models_only():
    """An app may have a result of its own."""
    assert Site(False).span({"final_result": "mine", "events": "mine"}) == {"final_result": "mine", "events": "mine"}
    assert Site(False).span({"final_result": "hello", "gen_ai.agent.name": "a"}) == {"gen_ai.agent.name": "a"}


@pytest.mark.parametrize(
    ("capture", "allowed"),
    [
        (True, {None, "acme", "globex"}),
        ({"acme": True}, {"acme"}),
        ({"*": True, "acme": False}, {None, "globex"}),
        ({"ac*": True, "acme": False}, set()),
        ({"a*": False, "*": True}, {None, "globex"}),
        (lambda tenant: tenant != "acme", {None, "globex"}),
    ],
)
def test_content_by_tenant(capture, allowed):
    """The tenant that the span has when it ends; the name itself counts before patterns; no tenant is only in `*`."""
    site = Site(capture)
    found = set()
    for tenant in (None, "acme", "globex"):
        with tracium.tenant(tenant):
            if MESSAGES in site.span({MESSAGES: said("hello")}):
                found.add(tenant)
    assert found == allowed
    with site.tracer.start_as_current_span("late", attributes={MESSAGES: said("hello")}):
        tracium.set_tenant("acme")
    assert (MESSAGES in site.spans.get_finished_spans()[-1].attributes) is ("acme" in allowed)


@pytest.mark.parametrize("answer", ["yes", 1, None, ValueError("no")])
def test_a_function_that_fails_lets_nothing_out(answer):
    """Only True is yes; what is wrong is said once."""

    def asked(tenant):
        if isinstance(answer, Exception):
            raise answer
        return answer

    site = Site(asked)
    assert site.span({MESSAGES: said("hello")}) == site.span({MESSAGES: said("hello")}) == {}
    assert [notice.key for notice in notices.notices()] == ["content:policy"]


async def _later(tenant):
    return True


@pytest.mark.parametrize(
    ("value", "error", "sentence"),
    [
        ("true", TypeError, "capture_content is 'true'. Pass True, False, a mapping"),
        (1, TypeError, "capture_content is 1. Pass"),
        ({"acme": "yes"}, TypeError, "capture_content has the entry 'acme': 'yes'. Pass"),
        ({None: True}, TypeError, "capture_content has the entry None: True. Pass"),
        ({"": True}, ValueError, "capture_content has an entry whose tenant is the empty string"),
        (_later, TypeError, "capture_content is the coroutine function .* Pass a plain function"),
    ],
)
def test_a_policy_that_is_none_is_refused(value, error, sentence):
    """Where it is passed, in a sentence."""
    with pytest.raises(error, match=sentence):
        ContentPolicy.of(value)


def test_a_policy_tells_whether_it_may_allow_anything():
    """That is what instrumentations are switched by."""
    values = (None, False, True, {}, {"a": False}, {"a": True}, lambda tenant: False)
    policies = [ContentPolicy.of(value) for value in values]
    assert [policy.any for policy in policies] == [False, False, True, False, False, True, True]
    assert [policy.given for policy in policies] == [False, True, True, True, True, True, True]


# Events of spans.

EVENTS = [
    ("gen_ai.content.prompt", {"gen_ai.prompt": "hello"}),
    ("gen_ai.user.message", {"content": "hello", "role": "user"}),
    ("gen_ai.choice", {"message": "hello", "index": 0, "finish_reason": "stop", "tool.result": "hello"}),
    ("gen_ai.user.message", {"gen_ai.event.content": "hello", "gen_ai.system": "azure"}),
    ("llm.content.completion.chunk", {"text": "hello"}),
    ("retry", {"attempt": 1, "message": "mine"}),
]


def test_events_have_no_content_where_it_is_off():
    """The names of their fields are short; events of others keep theirs."""
    assert Site(False).span({}, EVENTS)[1] == [
        {},
        {"role": "user"},
        {"index": 0, "finish_reason": "stop"},
        {"gen_ai.system": "azure"},
        {},
        {"attempt": 1, "message": "mine"},
    ]
    assert Site(True).span({}, EVENTS)[1] == [values for _, values in EVENTS]


def test_events_are_redacted_and_cut():
    """The marks stand on the span."""
    attributes, (event,) = Site(True, limit=20).span({}, [("gen_ai.choice", {"message": f"{KEY} and " + "x" * 90})])
    assert event == {"message": "[redacted:key] and x…[cut: 89 characters]"}
    assert attributes == {CUT: True}


# Log records.


@pytest.mark.parametrize(
    "named",
    [
        {"event_name": "gen_ai.choice"},
        {"attributes": {"event.name": "gen_ai.choice"}},
        {"attributes": {"otel.event.name": "gen_ai.choice"}},
    ],
)
def test_log_records_of_models_have_content_by_tenant(named):
    """In their body, as Bedrock's instrumentation has it."""
    site = Site({"acme": True})
    body = {"index": 0, "finish_reason": "stop", "message": {"content": f"hello {KEY}", "tool_calls": [{"a": "x"}]}}
    with tracium.tenant("globex"):
        assert site.record(body=body, **named).body == {"index": 0, "finish_reason": "stop"}
    with tracium.tenant("acme"):
        kept = site.record(body=body, **named).body
    assert kept["message"] == {"content": "hello [redacted:key]", "tool_calls": ({"a": "x"},)}
    assert body["message"]["content"] == f"hello {KEY}"


def test_log_records_of_models_have_content_in_attributes():
    """As `opentelemetry-util-genai` has it: structures and no JSON."""
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": "x" * 99}, {"password": "p", "n": 4111111111111111}]}
    ]
    made = {
        "event_name": "gen_ai.client.inference.operation.details",
        "attributes": {MESSAGES: messages, "gen_ai.system": "s"},
    }
    assert dict(Site(False).record(**made).attributes) == {"gen_ai.system": "s"}
    attributes = Site(True, limit=80).record(**made).attributes
    assert attributes[MESSAGES][0]["parts"] == (
        {"type": "text", "content": "x" * 64 + "…[cut: 35 characters]"},
        {"password": "[redacted:secret]", "n": "[redacted:card]"},
    )
    assert attributes[CUT] is True


def test_other_log_records_stay_as_they_are():
    """But for attributes that are known to be content."""
    record = Site(False).record(body=f"hello {KEY}", attributes={"input.value": "hello", "mine": KEY})
    assert (record.body, dict(record.attributes)) == (f"hello {KEY}", {"mine": KEY})


# Redaction.


def test_messages_are_redacted_inside_their_json():
    """By form and by the name of the field; JSON in JSON too; what is around stays to the letter."""
    inner = json.dumps({"api_key": "p w", "to": "bob@example.com", "n": [1, 2.50]})
    messages = (
        '[ {"role":"user","parts":[{"content":' + json.dumps(inner) + ', "id":1e3, "pin":{"password":["a",7]}}]} ]'
    )
    kept = Site().span({MESSAGES: messages})[MESSAGES]
    assert kept == messages.replace("p w", "[redacted:secret]").replace("bob@example.com", "[redacted:email]").replace(
        '["a",7]', '["[redacted:secret]","[redacted:secret]"]'
    )


def test_a_field_that_stands_twice_is_redacted_twice():
    """A parser keeps only the second, but a backend shows what was sent."""
    assert KEY not in Site().span({MESSAGES: f'{{"a": "{KEY}", "a": "fine"}}'})[MESSAGES]


def test_text_that_is_no_json_is_redacted_as_text():
    """Also what the SDK's limit left of JSON."""
    site = Site(max_span_attribute_length=60)
    kept = site.span({MESSAGES: said(f'password="a b" {KEY}'), "gen_ai.prompt": "to bob@example.com"})
    assert kept["gen_ai.prompt"] == "to [redacted:email]"
    assert "a b" not in kept[MESSAGES]


def test_redaction_can_be_off_or_ones_own():
    """One's own function replaces the patterns, and may call them; names of secret fields count with any."""
    text = f"{KEY} of bob"
    assert Site(redact=False).span({"input.value": text}) == {"input.value": text}
    assert Site(redact=lambda text: text.replace("bob", "B")).span({"input.value": text}) == {
        "input.value": f"{KEY} of B"
    }
    both = Site(redact=lambda text: redact_text(text).replace("bob", "B"))
    assert both.span({"input.value": text}) == {"input.value": "[redacted:key] of B"}
    assert both.span({"input.value": '{"password": "x"}'}) == {"input.value": '{"password": "[redacted:secret]"}'}


@pytest.mark.parametrize("result", [None, 7, b"x", RuntimeError("hello")])
def test_a_redaction_that_fails_drops_the_text_and_not_the_span(result, caplog):
    """It is said once, and without the text, which a message of its error may repeat."""

    def redact(text):
        if "hello" not in text:
            return text
        if isinstance(result, Exception):
            raise result
        return result

    site = Site(redact=redact)
    with caplog.at_level(logging.WARNING):
        kept = site.span({MESSAGES: said("hello", "fine"), "input.value": "hello", "gen_ai.system": "s"})
    assert contents(kept.pop(MESSAGES)) == ["", "fine"]
    assert kept == {"gen_ai.system": "s", DROPPED: True}
    assert [notice.key for notice in notices.notices()] == ["content:redaction"]
    assert "hello" not in caplog.text


def test_a_fault_of_ours_lets_nothing_out(monkeypatch):
    """Neither on spans and events nor in log records; the app goes on."""
    monkeypatch.setattr(faults, "_raising", False)
    monkeypatch.setattr("tracium.signals.genai.rewriting.is_secret_field", None)
    site = Site(True)
    body = '{"a": "hello"}'
    attributes, events = site.span({"input.value": body, "mine": 1}, [("gen_ai.choice", {"message": body})])
    record = site.record(event_name="gen_ai.choice", body={"a": "hello"}, attributes={"gen_ai.prompt": body})
    assert (attributes, events) == ({"mine": 1}, [{}])
    assert (record.body, dict(record.attributes)) == (None, {})
    assert all(notice.key.startswith("fault:settling") for notice in notices.notices())


# The limit.


def test_a_text_over_the_limit_is_cut_with_a_mark():
    """Exactly at the limit it is whole."""
    site = Site(limit=10)
    assert site.span({"input.value": "x" * 10}) == {"input.value": "x" * 10}
    assert site.span({"input.value": "x" * 25}) == {"input.value": "x" * 10 + "…[cut: 15 characters]", CUT: True}


def test_the_longest_texts_of_messages_are_cut():
    """So that all have the limit together; short ones, and what makes a message one, stay."""
    kept = Site(limit=1000).span({MESSAGES: said("a" * 5000, "b" * 100, "c" * 700)})
    first, second, third = contents(kept[MESSAGES])
    assert second == "b" * 100
    assert first == "a" * 442 + "…[cut: 4558 characters]"
    assert third == "c" * 442 + "…[cut: 258 characters]"
    assert kept[CUT] is True


def test_of_too_many_messages_the_newest_stay():
    """What they are made of has a limit too."""
    many = json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"{number}"}]} for number in range(2000)])
    kept = Site(limit=2000).span({MESSAGES: many})
    left = contents(kept[MESSAGES])
    assert left == [str(number) for number in range(2000 - len(left), 2000)]
    assert len(left) > 50
    assert len(kept[MESSAGES]) <= 8000
    assert kept[CUT] is True
    assert Site(limit=1).span({"input.value": json.dumps(dict.fromkeys(map(str, range(2000)), 1))}) == {CUT: True}


@pytest.mark.parametrize("place", range(9_990, 10_001))
def test_a_secret_across_the_cut_does_not_survive_in_part(place):
    """It is redacted before; also where the rest of the text is too long to be looked at."""
    for length in (12_000, 200_000):
        kept = Site(limit=10_000).span({"input.value": ("x" * (place - 1) + f" {KEY} ").ljust(length, "y")})[
            "input.value"
        ]
        assert KEY[:6] not in kept


def test_a_secret_across_what_is_looked_at_does_not_survive_in_part():
    """Redaction makes texts shorter, so that what was far behind the limit comes before it."""
    key = f"-----BEGIN PRIVATE KEY-----{'k' * 9000}-----END PRIVATE KEY-----"
    for before in range(5060, 5110):
        text = f"{key} {'x' * (before - 30)} {KEY} {'y' * 90_000}"
        kept = Site(limit=10_000).span({"input.value": text})["input.value"]
        assert "sk-" not in kept
        assert "kkk" not in kept


def test_an_image_in_a_message_is_cut():
    """Base64 is a text like others; bytes that are no text are whole or not there."""
    image = {"type": "blob", "mime_type": "image/png", "content": "iVBORw0KGgo" * 1_000_000}
    kept = Site().span({MESSAGES: json.dumps([{"role": "user", "parts": [image]}])})
    assert len(kept[MESSAGES]) < 33_000
    assert json.loads(kept[MESSAGES])[0]["parts"][0]["mime_type"] == "image/png"
    values = {"gen_ai.input.a": b"\xff" * 9, "gen_ai.input.b": b"\xff" * 11, "gen_ai.input.c": KEY.encode()}
    settle(values, None, ContentPolicy.of(True), None, 10)
    assert values == {
        "gen_ai.input.a": b"\xff" * 9,
        "gen_ai.input.c": "[redacted:…[cut: 4 characters]".encode(),
        CUT: True,
    }


# Whatever comes.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SECRETS = (KEY, "bob@example.com", "4111 1111 1111 1111", "ghp_abcdefghijklmnopqrstuvwxyz")


def planted(value, secret):
    """`value` with the secret in all of its texts."""
    if isinstance(value, str):
        return f"{value} {secret} {value}"
    if isinstance(value, list):
        return [planted(inner, secret) for inner in value] + [secret]
    if isinstance(value, dict):
        return {name: planted(inner, secret) for name, inner in value.items()} | {
            "to": secret,
            "json": json.dumps([secret]),
        }
    return value


def shape(value):
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return None


@given(st.lists(JSON) | st.dictionaries(st.text(), JSON), st.sampled_from(SECRETS), st.booleans())
def test_no_secret_survives_in_any_structure_and_its_shape_does(value, secret, ascii_only):
    """As JSON and as mappings and sequences."""
    value = planted(value, secret)
    values = {MESSAGES: json.dumps(value, ensure_ascii=ascii_only), "gen_ai.output.messages": value}
    settle(values, None, ContentPolicy.of(True), None, LIMIT)
    assert secret not in str(values)
    kept = json.loads(values[MESSAGES])
    assert shape(kept) == shape(value)
    assert shape(json.loads(json.dumps(values["gen_ai.output.messages"]))) == shape(value)


@given(st.lists(JSON), st.integers(1, 300))
def test_whatever_is_cut_is_valid_json(value, limit):
    """And no longer than it may be."""
    values = {MESSAGES: json.dumps(value)}
    settle(values, None, ContentPolicy.of(True), False, limit)
    if MESSAGES in values:
        assert len(values[MESSAGES]) <= max(4 * limit, 4096)
        assert isinstance(json.loads(values[MESSAGES]), list)
    else:
        assert values[CUT] is True


@given(st.text())
def test_no_text_is_altered_that_needs_not_be(text):
    """Neither as a text nor in JSON, with whatever characters JSON can write."""
    values = {"input.value": text, MESSAGES: json.dumps([text]), "llm.prompts": (text,)}
    before = dict(values)
    settle(values, None, ContentPolicy.of(True), False, 10**6)
    assert values == before


NAMES = st.sampled_from(
    [*CONTENT, "gen_ai", "llm.x", "gen_ai.prompt.9.x", "mcp.unheard.of", "gen_ai.request.extra_body"]
)
# An SDK before 1.45 takes no mappings, and says so.
MAPPINGS = [{"a": "hello"}] if BoundedAttributes(attributes={"a": {"a": "hello"}}) else []
VALUES = st.sampled_from(["hello", ("hello",), '{"a": "hello"}', *MAPPINGS])


@given(
    st.dictionaries(NAMES, VALUES),
    st.lists(
        st.tuples(
            st.sampled_from(["gen_ai.choice", "gen_ai.x.message", "llm.x"]),
            st.dictionaries(NAMES | st.sampled_from(["content", "x", "message.content"]), VALUES),
        ),
        max_size=3,
    ),
    st.sampled_from(["acme", "globex", None]),
)
def test_nothing_of_a_tenant_that_is_off_survives(attributes, events, tenant):
    """In no attribute, event or log record, whatever they are called in these namespaces; also in other tenants' company."""
    site = Site({"acme": True})
    with tracium.tenant(tenant):
        site.span({**attributes, "gen_ai.operation.name": "chat"}, events)
        for name, values in events:
            site.record(event_name=name, body=dict(values), attributes=values)
    ended = site.spans.get_finished_spans()[-1]
    out = str((dict(ended.attributes), [dict(event.attributes) for event in ended.events]))
    out += str([(one.log_record.body, dict(one.log_record.attributes)) for one in site.logs.get_finished_logs()])
    had = bool(attributes) or any(values for _, values in events)
    assert ("hello" in out) is (tenant == "acme" and had)


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.agent.system_prompt",
        "gen_ai.agent.instructions",
        "gen_ai.workflow.input",
        "gen_ai.framework.pipeline.input_data",
        "gen_ai.conversation.messages",
        "gen_ai.system.prompt",
        "llm.model.prompt",
        "mcp.resource.content",
    ],
)
def test_what_is_below_a_plain_name_is_not_plain_for_that(key):
    """Strands, OpenLIT and others put what was said there."""
    values = {"gen_ai.operation.name": "chat", key: "said", "gen_ai.agent.name": "shop"}
    settle(values, None, ContentPolicy.of(None), True, 100)
    assert values == {"gen_ai.operation.name": "chat", "gen_ai.agent.name": "shop"}
