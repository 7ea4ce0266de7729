"""Tokens: on model calls their own, on everything else a model call below; sums stay sums."""

from __future__ import annotations

import signal
import threading
import time

import pytest
from support.app import environment, run_app, started_app
from support.receiver import http_receiver

import tracium

KEYS = (
    "input_tokens",
    "output_tokens",
    "cache_read.input_tokens",
    "cache_creation.input_tokens",
    "reasoning.output_tokens",
)


def usage_of(span):
    return tuple(span.attributes.get(f"gen_ai.usage.{key}") for key in KEYS)


def test_on_a_model_call(pipeline):
    """By the present and the older names; a count that is told again replaces the earlier one."""
    with tracium.start_trace("agent") as run:
        with run.span("llm", "a") as step:
            step.set_token_usage(10, 5, cached_input=3, cache_creation_input=2, reasoning=1)
            step.set_token_usage(output=7, cached_input=None)
        with run.span("llm", "b", input_tokens=1, output_tokens=2) as step:
            step.set_token_usage(output_tokens=3, cached_input_tokens=0, cache_creation_input_tokens=0)
        with run.span("embedding", "c") as step:
            step.set_token_usage(input=4)
    found = {span.name: usage_of(span) for span in pipeline.spans}
    assert found == {
        "chat a": (10, 7, 3, 2, 1),
        "chat b": (1, 3, 0, 0, None),
        "embeddings c": (4, None, None, None, None),
        "invoke_agent agent": (None,) * 5,
    }


def test_on_anything_else_it_is_one_call_below(pipeline):
    """With the last counts, the model and provider that are known, in the same trace."""
    with tracium.start_trace("agent", model_id="of-run") as run:
        run.set_token_usage(input=1)
        with run.span("tool", "search", model_id="of-tool", provider="openai") as step:
            step.set_token_usage(input=10, output=1)
        with run.span("plan") as step:
            step.set_token_usage(output=3)
        run.set_token_usage(input=100, output=50)
    spans = {span.name: span for span in pipeline.spans}
    above = {
        span.name: next(one.name for one in pipeline.spans if one.context.span_id == span.parent.span_id)
        for span in pipeline.spans
        if span.name.startswith("chat")
    }
    calls = [span for span in pipeline.spans if span.name.startswith("chat")]
    assert [(span.name, usage_of(span)[:2]) for span in calls] == [
        ("chat of-tool", (10, 1)),
        ("chat of-run", (None, 3)),
        ("chat of-run", (100, 50)),
    ]
    assert above == {"chat of-tool": "execute_tool search", "chat of-run": "invoke_agent agent"}
    assert calls[0].attributes["gen_ai.provider.name"] == "openai"
    assert all(span.attributes["tracium.usage.recorded"] is True for span in calls)
    assert usage_of(spans["invoke_agent agent"]) == (None,) * 5
    assert sum(usage_of(span)[0] or 0 for span in pipeline.spans) == 110
    assert len({span.context.trace_id for span in pipeline.spans}) == 1


def test_the_call_has_the_tenant_of_its_run(pipeline):
    """Whatever holds where the run ends, and whenever the run got its tenant."""
    with tracium.start_trace("first") as run:
        tracium.set_tenant("acme")
        tracium.set_tenant("globex")
        run.set_token_usage(input=1)
    with tracium.tenant(None), tracium.start_trace("second") as run, tracium.tenant("globex"):
        run.set_token_usage(input=2)
    assert [(span.name, pipeline.tenants()[span.name]) for span in pipeline.spans] == [
        ("chat", None),
        ("invoke_agent first", "acme"),
        ("chat", None),
        ("invoke_agent second", None),
    ]
    assert [span.attributes.get("tenant.id") for span in pipeline.spans] == ["acme", "acme", None, None]


@pytest.mark.parametrize(
    ("counts", "error", "said"),
    [
        ({"input": "12"}, TypeError, "input='12' is no number of tokens"),
        ({"input": 1.5}, TypeError, "give a whole number"),
        ({"output": True}, TypeError, "output=True"),
        ({"output": -1}, ValueError, "output=-1"),
        ({"reasoning": 1 << 63}, ValueError, "reasoning="),
        ({"input": 1, "input_tokens": 1}, TypeError, "older name"),
    ],
)
def test_bad_counts_are_refused_in_a_sentence(pipeline, counts, error, said):
    """And nothing of the call is taken."""
    with tracium.start_trace("agent") as run, pytest.raises(error, match=said):
        run.set_token_usage(**counts)
    assert len(pipeline.spans) == 1


def test_threads_lose_no_tags_and_counts(pipeline):
    """All tell the same handle at once."""
    with tracium.start_trace("agent") as run, run.span("llm", "m") as call:

        def tell(number):
            start.wait()
            for tag in range(10):
                run.add_tags([f"{number}-{tag}"])
                run.add_metadata({f"{number}-{tag}": tag})
            call.set_token_usage(**{["input", "output", "cached_input", "reasoning"][number]: number})

        start = threading.Barrier(4)
        threads = [threading.Thread(target=tell, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    attributes = pipeline.span("invoke_agent agent").attributes
    assert set(attributes["tracium.tags"]) == {f"{number}-{tag}" for number in range(4) for tag in range(10)}
    assert usage_of(pipeline.span("chat m")) == (0, 1, 2, None, 3)


def test_a_step_around_an_instrumented_call_counts_once(pipeline):
    """Both describe the same call: the inner one tells, and the step says so."""
    with tracium.start_trace("agent") as run, run.span("llm", "m") as step:
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
        pipeline.tracer.start_span("chat m-2026", attributes=attributes).end()
        step.set_token_usage(10, 5)
    assert {span.name: usage_of(span)[:2] for span in pipeline.spans} == {
        "chat m-2026": (10, 5),
        "chat m": (None, None),
        "invoke_agent agent": (None, None),
    }
    assert pipeline.span("chat m").attributes["tracium.usage.elsewhere"] is True


def test_a_call_that_nobody_ends_keeps_what_was_told(pipeline):
    """The process ends in the middle of it."""
    step = tracium.start_trace("agent").span("llm", "m")
    step.__enter__()
    step.set_token_usage(10, 5)
    pipeline.provider.shutdown()
    assert usage_of(pipeline.span("chat m"))[:2] == (10, 5)
    step.__exit__(None, None, None)


def test_what_threads_tell_at_once_is_one_call(pipeline):
    """Also where the run ends meanwhile."""
    for _ in range(20):
        start = threading.Barrier(5)

        def tell(run=None, start=start):
            start.wait()
            run.set_token_usage(input=1, output=2)

        run = tracium.start_trace("agent")
        with run:
            threads = [threading.Thread(target=tell, args=(run,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            start.wait()
            run.set_token_usage(input=1, output=2)
        for thread in threads:
            thread.join()
    calls = [span for span in pipeline.spans if span.name == "chat"]
    assert [usage_of(span)[:2] for span in calls] == [(1, 2)] * 20


OPEN = """
import os, sys, threading, time, tracium
tracium.trace()

@tracium.agent_trace("writer", inject_trace_arg="run")
def writes(run):
    run.set_token_usage(5, 6)
    yield 1

def works():
    with tracium.tenant("acme"), tracium.start_trace("agent") as run, run.span("tool", "t", input_tokens=3) as tool:
        run.set_token_usage(10, 1)
        run.set_token_usage(output=2)
        print("open", flush=True)
        time.sleep(60)
"""


def test_usage_that_was_told_is_sent_where_the_process_ends_first():
    """At its exit: of a run in a thread, and in a generator that is suspended, without a complaint."""
    with http_receiver() as receiver:
        ended = run_app(
            OPEN + "steps = writes()\nnext(steps)\n"
            "threading.Thread(target=works, daemon=True).start()\ntime.sleep(0.5)\n",
            environment(receiver),
        )
    assert ended.stderr == ""
    told = sorted((span.attributes["gen_ai.usage.input_tokens"], span.tenant) for span in receiver.spans)
    assert told == [(3, "acme"), (5, None), (10, "acme")]
    assert {span.attributes["tracium.usage.recorded"] for span in receiver.spans} == {True}


def test_usage_that_was_told_is_sent_where_a_signal_ends_the_process():
    """In the middle of the run."""
    with http_receiver() as receiver, started_app(OPEN + "works()\n", environment(receiver)) as app:
        assert app.stdout.readline() == "open\n"
        time.sleep(0.1)
        app.send_signal(signal.SIGTERM)
        assert app.wait(timeout=30) == -signal.SIGTERM
    told = {(span.attributes["gen_ai.usage.input_tokens"], span.tenant) for span in receiver.spans}
    assert told == {(3, "acme"), (10, "acme")}


def test_a_forked_child_tells_no_usage_of_its_parent():
    """Both leave the blocks that were open at the fork; a run of the child's own counts."""
    code = """
    import os, sys, tracium
    tracium.trace()
    with tracium.tenant("acme"), tracium.start_trace("agent") as run:
        run.set_token_usage(10, 1)
        child = os.fork()
        if not child:
            run.set_token_usage(10, 1)
            with tracium.start_trace("child") as own:
                own.set_token_usage(7)
            sys.exit(0)
        os.waitpid(child, 0)
    """
    with http_receiver() as receiver:
        run_app(code, environment(receiver))
    told = [span.attributes["gen_ai.usage.input_tokens"] for span in receiver.spans if span.name == "chat"]
    assert sorted(told) == [7, 10]
