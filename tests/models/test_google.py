"""Google's client: one call may be several requests, and one sum has them all."""

from __future__ import annotations

import pytest
from genai.harness import ran as running
from genai.rules import altered, leaked, mismetered, misplaced
from google.genai.types import GenerateContentResponseUsageMetadata, ModalityTokenCount
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from support.models.gemini import CACHED, CANDIDATES, PROMPT, THOUGHTS, gemini_server

from tracium.models.google_usage import Tally
from tracium.startup.libraries import Library, library_of

# What two requests cost.
TWICE = (1, 2 * PROMPT, 2 * (CANDIDATES + THOUGHTS))
AUTOMATIC = ("automatic", "stream", "async", "async-stream")


@pytest.fixture(scope="module")
def ran():
    with running("gemini_ways", VENDOR=gemini_server) as what:
        yield what


@pytest.mark.parametrize("call", AUTOMATIC)
def test_a_call_has_what_all_its_requests_cost(ran, call):
    """Its parts too, and the metric says the same."""
    assert (len(ran.counted(call)), *ran.usage(call)) == TWICE
    attributes = ran.model_span(call).attributes
    assert attributes["gen_ai.usage.cache_read.input_tokens"] == 2 * CACHED
    assert attributes["gen_ai.usage.reasoning.output_tokens"] == 2 * THOUGHTS
    assert "tracium.usage.unknown" not in attributes


def test_every_answer_is_on_a_span_and_on_the_metric_once(ran):
    """What the vendor billed, for whom it was billed."""
    calls = [*AUTOMATIC, "at-once", "fails-later", "reused", "refused"]
    assert sum(ran.usage(call)[0] for call in calls) == sum(billed.input_tokens for billed in ran.billed)
    assert mismetered(ran, {call: (1, *ran.usage(call)) for call in calls}) == {}
    assert misplaced(ran, calls) == []


def test_calls_at_once_are_told_apart(ran):
    """Each has its own requests."""
    inputs = [span.attributes["gen_ai.usage.input_tokens"] for span in ran.counted("at-once")]
    assert inputs == [2 * PROMPT, 2 * PROMPT]


def test_what_was_answered_before_a_request_failed_is_kept(ran):
    """It was billed, and the call's error takes nothing back."""
    span = ran.model_span("fails-later")
    assert "error.type" in span.attributes
    assert ran.usage("fails-later") == (PROMPT, CANDIDATES + THOUGHTS)


def test_a_configuration_that_is_used_again_stays_as_it_is(ran):
    """The instrumentor wraps its functions anew at each call: a function that ran once would have many spans."""
    tools = [span for span in ran.trace("reused") if span.attributes.get("gen_ai.operation.name") == "execute_tool"]
    assert len(tools) == 3


def test_a_stream_that_never_begins_ends_its_span(ran):
    """It would stay in the app's context otherwise, and nothing after it would make a span."""
    failed, good = sorted(ran.described("refused"), key=lambda span: "error.type" not in span.attributes)
    assert failed.attributes["error.type"] == "TypeError"
    assert good.parent_id == failed.parent_id
    assert ran.usage("refused") == (PROMPT, CANDIDATES + THOUGHTS)


def test_the_requests_are_the_apps_own(ran):
    """Byte for byte as without tracium, and nobody is told a customer."""
    assert altered(ran) == []
    assert leaked(ran) == []


class Data:
    """Stands for what a call knows of itself."""


class Invocation:
    """Stands for what a call's instrumentation writes."""

    def __init__(self):
        self.attributes = {}
        self.modalities = {}

    def set_input_tokens(self, entries):
        self.modalities = dict(entries)

    set_output_tokens = set_cache_read_input_tokens = lambda self, entries: None


def told(tally):
    invocation = Invocation()
    tally.tell(invocation)
    return invocation


@given(st.lists(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=4), min_size=1, max_size=5))
def test_the_sum_is_that_of_the_last_piece_of_each_request(requests):
    """However many pieces have a running number; a request without one makes the sum a part."""
    data, answered = Data(), [pieces for pieces in requests if pieces]
    tally = Tally(data)
    for pieces in requests:
        tally.begin()
        tally.take(None)
        for prompt, candidates in pieces:
            tally.take(
                GenerateContentResponseUsageMetadata(prompt_token_count=prompt, candidates_token_count=candidates)
            )
    if answered:
        invocation = told(tally)
        sums = tuple(sum(pieces[-1][side] for pieces in answered) for side in (0, 1))
        assert (invocation.input_tokens, invocation.output_tokens) == sums
        assert (data.usage_input_tokens, data.usage_output_tokens) == sums
        assert ("tracium.usage.unknown" in invocation.attributes) == (len(answered) < len(requests))
    else:
        assert vars(told(tally)) == vars(Invocation())


def test_what_a_tool_of_the_models_own_puts_into_the_prompt_is_input():
    """Google counts it beside the prompt and bills it as input; modalities are summed too."""
    tally = Tally(Data())
    for count in (3, 4):
        tally.begin()
        details = [ModalityTokenCount(modality="TEXT", token_count=count)]
        usage = {"prompt_token_count": count, "tool_use_prompt_token_count": 10, "prompt_tokens_details": details}
        tally.take(GenerateContentResponseUsageMetadata(**usage))
    invocation = told(tally)
    assert invocation.input_tokens == 27
    assert invocation.output_tokens is None
    assert invocation.modalities == {"TEXT": 7}


@pytest.mark.parametrize(
    ("version", "tested"), [("2.9", True), ("3.6.1", True), ("4.0", False), ("1.31", False), (None, False)]
)
def test_an_instrumentor_is_applied_to_what_it_was_tested_with(monkeypatch, version, tested):
    """It declares less than it can: google-genai below 3."""
    monkeypatch.setattr(Library, "version", property(lambda _: version))
    library = library_of("google-genai")
    assert library.is_tested(Requirement("google-genai>=1.32.0,<3")) is tested
    assert not library.is_tested(Requirement("another>=1"))
    assert not library_of("openai").is_tested(Requirement("openai>=1"))
