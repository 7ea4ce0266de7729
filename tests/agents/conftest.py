"""Agents' spans go to the pipeline of the test, with what was recorded on them."""

from __future__ import annotations

import pytest

from tracium import defaults
from tracium.agents import tracer
from tracium.signals.genai import GenAISpanProcessor
from tracium.signals.genai.policy import ContentPolicy


@pytest.fixture(autouse=True)
def _provider(request, monkeypatch):
    """The global provider can be set once in a process, so that ours is asked for where the agents ask."""
    if "make_pipeline" in request.fixturenames:
        pipeline = request.getfixturevalue("pipeline")
        monkeypatch.setattr(tracer, "get_tracer_provider", lambda: pipeline.provider)
        for processor in pipeline.provider._active_span_processor._span_processors:
            if isinstance(processor, GenAISpanProcessor):
                processor.policy, processor.redact = ContentPolicy.of(True), False
    yield
    defaults.install_defaults(defaults.AgentDefaults())
