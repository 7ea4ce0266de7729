"""One switch is written to the variables of all instrumentations."""

from __future__ import annotations

import os

import pytest

from tracium.signals.genai import ContentPolicy
from tracium.startup import content_switch
from tracium.startup.content_switch import GENAI_VARIABLE, SWITCHES, apply

HIDE = "OPENINFERENCE_HIDE_INPUTS"
TRACELOOP = "TRACELOOP_TRACE_CONTENT"
ANTHROPIC = "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE"


def of(value):
    return ContentPolicy.of(value)


def values(env):
    return {switch.variable: env.get(switch.variable) for switch in SWITCHES}


ALL_ON = {switch.variable: switch.on for switch in SWITCHES}
ALL_OFF = {switch.variable: switch.off for switch in SWITCHES}


@pytest.fixture(autouse=True)
def _bedrock_as_before():
    yield
    content_switch._bedrock.switch(captures=None)


@pytest.mark.parametrize(
    ("capture", "expected"),
    [(None, ALL_OFF), (False, ALL_OFF), ({"acme": False}, ALL_OFF), (True, ALL_ON), ({"acme": True}, ALL_ON)],
)
def test_all_are_on_if_any_tenant_may_have_content(capture, expected):
    """Those that would capture unless they are told not to are told so."""
    env = {}
    assert apply(of(capture), env) == of(capture)
    assert values(env) == expected


def test_what_the_user_says_here_holds_whatever_the_variables_say():
    """In both directions."""
    env = {GENAI_VARIABLE: "SPAN_ONLY", TRACELOOP: "true", HIDE: "false"}
    assert not apply(of(False), env).allows("acme")
    assert values(env) == ALL_OFF
    env = {GENAI_VARIABLE: "NO_CONTENT", TRACELOOP: "false", HIDE: "true"}
    assert apply(of(True), env).allows("acme")
    assert values(env) == ALL_ON


@pytest.mark.parametrize(
    ("variable", "value"),
    [(GENAI_VARIABLE, "span_and_event"), (TRACELOOP, "True"), (HIDE, "false"), (ANTHROPIC, "content")],
)
def test_a_variable_of_the_users_own_holds_if_nothing_is_said_here(variable, value):
    """The content that was asked for by it is allowed; the others are off."""
    env = {variable: value}
    assert apply(of(None), env).allows(None)
    assert values(env) == ALL_OFF | {variable: value}


@pytest.mark.parametrize(("variable", "value"), [(GENAI_VARIABLE, "false"), (TRACELOOP, "false"), (HIDE, "true")])
def test_a_variable_of_the_users_own_that_is_off_allows_nothing(variable, value):
    """It is left as it is."""
    env = {variable: value}
    assert not apply(of(None), env).allows(None)
    assert values(env) == ALL_OFF | {variable: value}


def test_a_mode_of_the_users_own_stays_where_events_are_settled():
    """It says where content goes. Where nothing settles log records, content for some tenants must not go there."""
    for events, expected in ((True, "EVENT_ONLY"), (False, "SPAN_ONLY")):
        env = {GENAI_VARIABLE: "EVENT_ONLY"}
        apply(of({"acme": True}), env, events=events)
        assert env[GENAI_VARIABLE] == expected


@pytest.mark.parametrize("capture", [True, {"acme": True}])
def test_what_was_written_here_is_not_taken_for_the_users(capture):
    """A child process has the environment of its parent, and `init` may be called again: neither widens what is allowed."""
    env = {}
    apply(of(capture), env)
    child = dict(env)
    assert not apply(of(None), child).allows("globex")
    assert values(child) == ALL_OFF
    again = dict(child)
    assert not apply(of(None), again).allows("globex")
    assert apply(of(True), again).allows("globex")
    assert values(again) == ALL_ON


def test_the_installed_instrumentations_read_it(monkeypatch):
    """OpenTelemetry's, the Anthropic SDK's own spans, and Bedrock's, which only captures into log records."""
    from anthropic._tracing import resolve_open_telemetry
    from opentelemetry.instrumentation.botocore.extensions import bedrock
    from opentelemetry.util.genai.utils import get_content_capturing_mode

    def read(capture, events):
        for switch in SWITCHES:
            monkeypatch.delenv(switch.variable, raising=False)
        apply(of(capture), events=events)
        return (
            get_content_capturing_mode().name,
            resolve_open_telemetry(None)["traces"]["content_mode"],
            bedrock.genai_capture_message_content(),
        )

    before = dict(os.environ)
    try:
        assert read(None, events=True) == ("NO_CONTENT", "metadata_only", False)
        assert read({"acme": True}, events=True) == ("SPAN_ONLY", "content", True)
        assert read({"acme": True}, events=False) == ("SPAN_ONLY", "content", False)
        assert read(False, events=True) == ("NO_CONTENT", "metadata_only", False)
        monkeypatch.setattr(content_switch, "installed_version", lambda name: "1.1b0")
        assert read(True, events=True)[1:] == ("content", True)
        assert os.environ[GENAI_VARIABLE] == "true"
        read(True, events=False)
        assert os.environ[GENAI_VARIABLE] == "NO_CONTENT"
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
