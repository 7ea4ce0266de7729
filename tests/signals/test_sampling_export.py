"""Sampling as an app has it: set once, and seen at the receiver."""

from __future__ import annotations

import signal

import pytest
from support.app import environment, run_app, started_app
from support.receiver import http_receiver

APP = """
import os, signal, time, tracium
tracium.init({arguments})
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
tracer = trace.get_tracer("app")
CALL = {{"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7, "gen_ai.input.messages": "secret"}}

def serve(tenant, error=False):
    with tracer.start_as_current_span(f"request of {{tenant}}", kind=SpanKind.SERVER) as request:
        tracer.start_span("before").end()
        tracium.set_tenant(tenant)
        tracer.start_span(f"call of {{tenant}}", attributes=CALL).end()
        if error:
            request.set_status(StatusCode.ERROR)
    tracium.set_tenant(None)

serve("acme")
serve("free-1")
serve("free-2", error=True)
{end}
"""
CALLS = ["call of acme", "call of free-1", "call of free-2"]


@pytest.mark.parametrize("how", ["environment", "argument"])
@pytest.mark.parametrize("errors", [False, True])
def test_only_what_was_asked_for_arrives_and_all_usage_does(how, errors):
    """By `init` or by its variables."""
    argued = f'sample={{"free-*": 0.0}}, sample_errors={errors}' if how == "argument" else ""
    variables = {} if argued else {"TRACIUM_SAMPLE": "free-*=0", "TRACIUM_SAMPLE_ERRORS": str(errors).lower()}
    with http_receiver() as receiver:
        run_app(APP.format(arguments=argued, end=""), environment(receiver, **variables))
    named = sorted(span.name for span in receiver.spans)
    whole = ["acme"] + ["free-2"] * errors
    assert named == sorted([*CALLS, *(f"request of {tenant}" for tenant in whole), *["before"] * len(whole)])
    assert [span.attributes["gen_ai.usage.input_tokens"] for span in receiver.spans if span.name in CALLS] == [7] * 3
    out = {span.tenant for span in receiver.spans if span.attributes.get("tracium.sampled_out")}
    assert out == {"free-1", "free-2"} - set(whole)


WAITING = """
with tracer.start_as_current_span("open", kind=SpanKind.SERVER):
    tracer.start_span("waiting", attributes=CALL).end()
    {end}
"""


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)", -signal.SIGTERM),
        ("tracium.shutdown(); os._exit(3)", 3),
        ("raise SystemExit(4)", 4),
    ],
)
def test_usage_of_a_request_that_is_open_at_the_end_of_the_process_arrives(end, code):
    """What waits for its tenant is decided then."""
    app = APP.format(arguments="", end="") + WAITING.format(end=end)
    with http_receiver() as receiver:
        with started_app(app, environment(receiver, TRACIUM_SAMPLE="*=0")) as process:
            assert process.wait(30) == code
        (waiting,) = receiver.named("waiting")
    assert waiting.attributes["tracium.sampled_out"] is True
    assert waiting.attributes["gen_ai.usage.input_tokens"] == 7
    assert receiver.named("open") == []
