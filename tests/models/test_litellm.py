"""LiteLLM: whatever way an app takes to a model, each answer that was billed is told once."""

from __future__ import annotations

from typing import ClassVar

import pytest
from genai.harness import ran as running
from genai.rules import altered, leaked, miscounted, mismetered, misplaced, told
from hypothesis import given
from hypothesis import strategies as st
from support.app import environment, run_app
from support.models import anthropic
from support.models.anthropic import anthropic_server
from support.models.openai import EMBEDDED, INPUT, OUTPUT, openai_server

from tracium.models.litellm.usage import Usage, counts_itself, told_by_pieces
from tracium.models.litellm.usage import told as told_usage

ONE = (1, INPUT, OUTPUT)
CLAUDE = (1, anthropic.INPUT, anthropic.OUTPUT)
# Calls that are one span each, with what they cost.
CALLS = {
    **dict.fromkeys(("held", "pickled", "flagged", "retries"), ONE),
    **dict.fromkeys(("tools-stream", "both-ways", "with", "handed-over"), ONE),
    **dict.fromkeys(("responses", "responses-stream", "responses-async", "responses-async-stream"), ONE),
    **dict.fromkeys(("responses-claude", "responses-claude-stream", "text", "text-stream"), CLAUDE),
    **dict.fromkeys(("cached", "cached-stream"), ONE),
    **dict.fromkeys(("batch", "judged"), (2, INPUT, OUTPUT)),
    "embedded": (1, EMBEDDED, 0),
}
# Calls whose first attempt fails, and makes a span of its own.
ATTEMPTS = ("router", "router-async", "router-stream", "router-retries", "falls-back")
UNKNOWN = ("closed", "closed-async", "unclosed")
FAILED = ("broken", "refused")


@pytest.fixture(scope="module")
def ran():
    with running("litellm_ways", VENDOR=openai_server, ANTHROPIC_VENDOR=anthropic_server) as what:
        yield what


def test_each_call_is_counted_once(ran):
    """On the span and on the metric, as the vendors billed it."""
    assert miscounted(ran, CALLS) == {}
    assert mismetered(ran, {**CALLS, **dict.fromkeys(ATTEMPTS, ONE)}) == {}
    known = sum(number for number, *_ in CALLS.values())
    assert len(ran.billed) == known + len(ATTEMPTS) + len(UNKNOWN)


@pytest.mark.parametrize("call", ATTEMPTS)
def test_each_attempt_of_a_router_is_a_call(ran, call):
    """The one that failed has its error and no usage, the other one has been billed."""
    failed, good = sorted(ran.described(call), key=lambda span: "error.type" not in span.attributes)
    assert failed.attributes["error.type"].startswith("litellm.exceptions.")
    assert not [key for key in failed.attributes if "usage" in key]
    assert ran.usage(call) == (INPUT, OUTPUT)
    assert good.attributes["gen_ai.response.model"] in {"gpt-4o", "busy-router"}


@pytest.mark.parametrize("call", ["cached", "cached-stream"])
def test_an_answer_from_litellms_cache_costs_nothing(ran, call):
    """It was counted when it came from the vendor."""
    first, second = ran.described(call)
    assert first.attributes["gen_ai.response.id"] == second.attributes["gen_ai.response.id"]
    assert [span.attributes.get("tracium.usage.elsewhere") for span in (first, second)] in ([None, True], [True, None])


@pytest.mark.parametrize("call", UNKNOWN)
def test_a_stream_that_is_not_read_to_its_end_is_unknown(ran, call):
    """Nobody was told what it cost."""
    span = ran.model_span(call)
    assert span.attributes["tracium.usage.unknown"] is True
    assert ran.usage(call) == (0, 0)


@pytest.mark.parametrize("call", FAILED)
def test_a_call_that_fails_has_its_error(ran, call):
    """And is neither billed nor unknown."""
    attributes = ran.model_span(call).attributes
    assert attributes["error.type"].startswith("litellm.exceptions.")
    assert "tracium.usage.unknown" not in attributes


def test_what_a_callback_asks_a_model_is_a_call_of_its_own(ran):
    """It runs while the call's span may be open, and is not inside it."""
    first, second = ran.counted("judged")
    assert {first.attributes["gen_ai.request.model"], second.attributes["gen_ai.request.model"]} == {"gpt-4o", "judge"}
    assert first.parent_id == second.parent_id


def test_every_span_is_its_customers(ran):
    """Whoever reads a stream."""
    assert misplaced(ran, [*CALLS, *ATTEMPTS, *UNKNOWN, *FAILED]) == []
    assert not [point for point in ran.received.points if point.tenant == "customer-other"]


def test_providers_and_models_have_opentelemetrys_names(ran):
    """The model without its provider, as the provider calls it."""
    attributes = ran.model_span("text").attributes
    assert attributes["gen_ai.provider.name"] == "anthropic"
    assert attributes["gen_ai.request.model"] == "claude-sonnet-5"
    assert attributes["gen_ai.operation.name"] == "text_completion"
    assert ran.model_span("held").name == "chat gpt-4o"
    assert ran.model_span("responses").attributes["server.address"] == "127.0.0.1"


def test_nothing_is_told_to_anybody(ran):
    """No content to the backend, no customer to a vendor, and every request is the app's own."""
    assert told(ran) == []
    assert leaked(ran) == []
    assert altered(ran) == []
    assert "tracium failed" not in ran.log


class Fakes:
    """LiteLLM of a release that is only a name."""

    LIBRARY: ClassVar = {"litellm-9.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: litellm\nVersion: 9.0\n"}

    @classmethod
    def write(cls, folder):
        for name, text in {**cls.LIBRARY, "litellm.py": "app = None\n"}.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return str(folder)


@pytest.fixture
def receiver():
    from support.receiver import http_receiver

    with http_receiver() as running_receiver:
        yield running_receiver


WITHOUT = 'import sys\nsys.modules["opentelemetry.util.genai"] = None\n'


@pytest.mark.parametrize(
    ("before", "cure"),
    [
        (WITHOUT, 'pip install "tracium[litellm]"'),
        ("", "litellm 9.0 has no completion, no acompletion"),
    ],
)
def test_a_litellm_that_cannot_be_instrumented_is_named(receiver, tmp_path, before, cure):
    """With the cure, once, when it is imported; and its import goes on."""
    ended = run_app(
        f"{before}import logging, tracium\nlogging.basicConfig()\ntracium.trace()\nimport litellm\n"
        "assert litellm.app is None\nprint(*tracium.report().problems, sep=chr(10))",
        environment(receiver, PYTHONPATH=Fakes.write(tmp_path)),
    )
    assert cure in ended.stdout
    assert ended.stderr.count(cure) == 1


class Given:
    """Usage as LiteLLM has it."""

    def __init__(self, **values):
        vars(self).update(values)


class UnreportedUsage(Given):
    """What LiteLLM puts where a stream's provider told nothing."""


def test_what_litellm_makes_up_is_not_told():
    """Zeros, its own mark, numbers of a tokenizer, and reasoning that it counts from the text."""
    assert told_usage(None, "openai", "m") is None
    assert told_usage(Given(prompt_tokens=0, completion_tokens=0), "openai", "m") is None
    assert told_usage(UnreportedUsage(prompt_tokens=3, completion_tokens=1), "openai", "m") is None
    reasoned = Given(
        prompt_tokens=3,
        completion_tokens=2,
        completion_tokens_details={"reasoning_tokens": 1},
        prompt_tokens_details={},
    )
    assert told_usage(reasoned, "openai", "m") == Usage(3, 2, reasoning=1)
    assert told_usage(reasoned, "anthropic", "m") == told_usage(reasoned, "vertex_ai", "claude-x") == Usage(3, 2)
    assert counts_itself("replicate", "replicate/m", embedding=False)
    assert counts_itself("gemini", "gemini/m", embedding=True)
    assert not counts_itself("gemini", "gemini/m", embedding=False)
    assert counts_itself("bedrock", "bedrock/agentcore/arn", embedding=False)


@given(st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 9), st.integers(0, 9))), max_size=8))
def test_a_streams_numbers_are_running_ones(pieces):
    """The last that is not zero holds, of each; and without any there is none."""
    given_ = [
        Given(usage=None if each is None else Given(prompt_tokens=each[0], completion_tokens=each[1]))
        for each in pieces
    ]
    usage = told_by_pieces(given_, "openai", "m")
    known = [each for each in pieces if each is not None and any(each)]
    if not known:
        assert usage is None
        return
    last = [next((each[side] for each in reversed(known) if each[side]), 0) for side in (0, 1)]
    assert (usage.input, usage.output) == tuple(last)
