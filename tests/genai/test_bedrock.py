"""Bedrock through boto3: converse, invoke_model, and their event streams."""

from __future__ import annotations

from typing import ClassVar

import pytest
from genai.harness import ran as running
from genai.rules import Accounting
from support.models import anthropic
from support.models.bedrock import INPUT, OUTPUT, bedrock_server

ONE = (1, INPUT, OUTPUT)
CLAUDE = (1, anthropic.INPUT, anthropic.OUTPUT)
STREAMS = ("stream", "invoke-stream", "handed-over")
ABANDONED = ("abandoned", "broken-out", "unclosed", "invoke-unclosed")


@pytest.fixture(scope="module")
def ran():
    with running("bedrock", VENDOR=bedrock_server) as what:
        yield what


class TestBedrock(Accounting):
    library = "Bedrock (boto3)"
    calls: ClassVar = {
        **dict.fromkeys(("plain", "tools", "retried", "stream", "handed-over"), ONE),
        **dict.fromkeys(("invoke", "invoke-stream"), CLAUDE),
    }
    streams: ClassVar = STREAMS
    unknown: ClassVar = ("closed-elsewhere", *ABANDONED)
    failed: ClassVar = ("raised",)
    metered: ClassVar = calls


@pytest.mark.parametrize("call", ABANDONED)
def test_a_stream_that_nobody_ends_ends_with_what_was_known(ran, call):
    """Thrown away, left in the middle, or open when the process ends: its instrumentation would never end it."""
    assert ran.model_span(call).attributes["tracium.abandoned"] is True


def test_a_stream_counts_for_whom_it_was_begun(ran):
    """On the span and on the metric, although it was read for somebody else."""
    assert ran.usage("handed-over") == (INPUT, OUTPUT)
    assert ran.model_span("handed-over").tenant == "customer-handed-over"
    assert not [point for point in ran.received.points if point.tenant == "customer-other"]
