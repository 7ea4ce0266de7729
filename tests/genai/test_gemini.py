"""Google's client: generateContent, streams, embeddings, and functions that it calls by itself."""

from __future__ import annotations

from typing import ClassVar

import pytest
from genai.harness import ran as running
from genai.rules import Accounting
from support.models.gemini import CANDIDATES, PROMPT, THOUGHTS, gemini_server

ONE = (1, PROMPT, CANDIDATES + THOUGHTS)
STREAMS = ("stream", "tools-stream", "async-stream")
WHOLE = ("plain", "tools", "async", "retried")
ABANDONED = ("abandoned", "broken-out", "unclosed", "unread")


@pytest.fixture(scope="module")
def ran():
    with running("gemini", VENDOR=gemini_server) as what:
        yield what


class TestGemini(Accounting):
    library = "Google Gen AI"
    calls: ClassVar = dict.fromkeys((*WHOLE, *STREAMS), ONE)
    streams: ClassVar = STREAMS
    # The vendor does not say what embeddings cost.
    unknown: ClassVar = ("embeddings", "cut", *ABANDONED)
    failed: ClassVar = ("raised",)
    beside = 1
    metered: ClassVar = {**calls, "automatic-tools": (2, *ONE[1:])}


def test_functions_that_the_client_calls_by_itself_cost_two_answers(ran):
    """One span describes them, so it has the sum."""
    assert ran.usage("automatic-tools") == (2 * PROMPT, 2 * (CANDIDATES + THOUGHTS))
    assert len(ran.counted("automatic-tools")) == 1


@pytest.mark.parametrize("call", ABANDONED)
def test_a_stream_that_nobody_ends_ends_with_what_was_known(ran, call):
    """Thrown away, left in the middle, or open when the process ends: read or not."""
    assert ran.model_span(call).attributes["tracium.abandoned"] is True
