"""A model vendor on loopback that speaks OpenAI's wire format, by its base URL alone."""

from __future__ import annotations

from contextlib import contextmanager

from support.models.openai import openai_server


@contextmanager
def model_server():
    """Serve until the block ends; gives the base URL."""
    with openai_server() as vendor:
        yield f"{vendor.url}/v1"
