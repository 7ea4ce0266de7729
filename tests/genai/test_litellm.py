"""LiteLLM, without its own callback for OpenTelemetry: OpenAI's and Anthropic's models behind one function."""

from __future__ import annotations

from typing import ClassVar

import pytest
from genai.harness import ran as running
from genai.rules import Accounting
from support.models import anthropic
from support.models.anthropic import anthropic_server
from support.models.openai import EMBEDDED, INPUT, OUTPUT, openai_server

ONE = (1, INPUT, OUTPUT)
CLAUDE = (1, anthropic.INPUT, anthropic.OUTPUT)


@pytest.fixture(scope="module")
def ran():
    with running("litellm", VENDOR=openai_server, ANTHROPIC_VENDOR=anthropic_server) as what:
        yield what


class TestLiteLLM(Accounting):
    library = "LiteLLM"
    calls: ClassVar = {
        **dict.fromkeys(("plain", "stream", "async", "async-stream", "retried"), ONE),
        **dict.fromkeys(("anthropic", "anthropic-stream"), CLAUDE),
        "embeddings": (1, EMBEDDED, 0),
    }
    metered: ClassVar = calls
    streams: ClassVar = ("stream", "async-stream", "anthropic-stream")
    unknown: ClassVar = ("stream-without-usage", "abandoned", "broken-out", "unclosed")
    failed: ClassVar = ("raised",)
