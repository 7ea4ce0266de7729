"""The calls of Google's client that are several requests, and those that its instrumentor does not end well."""

from __future__ import annotations

import asyncio
import os

from calls import QUESTION, adrain, drain, run, start

start()

from google import genai  # noqa: E402 - traced before
from google.genai import types  # noqa: E402

MODEL = "gemini-2.5-flash"


def new_client():
    retries = types.HttpRetryOptions(attempts=1)
    return genai.Client(
        api_key="k", http_options=types.HttpOptions(base_url=os.environ["VENDOR"], retry_options=retries)
    )


client = new_client()


def weather(city: str) -> str:
    """Tell the weather."""
    return f"sun in {city}"


AUTOMATIC = {"tools": [weather]}


async def later():
    await client.aio.models.generate_content(model=MODEL, contents=QUESTION, config=AUTOMATIC)


async def async_stream():
    await adrain(await client.aio.models.generate_content_stream(model=MODEL, contents=QUESTION, config=AUTOMATIC))


async def at_once():
    """Two calls in one task's context: each has its own requests."""
    asked = {"model": MODEL, "contents": QUESTION, "config": AUTOMATIC}
    await asyncio.gather(*(client.aio.models.generate_content(**asked) for _ in range(2)))


def fails_later():
    """The first request is answered and billed; the second one cannot be sent."""
    broken = new_client()

    def weather(city: str) -> str:
        """Tell the weather."""
        broken._api_client._http_options.base_url = "http://127.0.0.1:1"
        return f"sun in {city}"

    try:
        broken.models.generate_content(model=MODEL, contents=QUESTION, config={"tools": [weather]})
    except Exception as error:
        if type(error).__name__ == "ConnectError":
            return
        raise
    raise AssertionError("no error")


def reused():
    """One configuration for three calls, as an app keeps it."""
    config = types.GenerateContentConfig(tools=[weather])
    for _ in range(3):
        client.models.generate_content(model=MODEL, contents=QUESTION, config=config)
        assert config.tools == [weather]


async def refused():
    """A stream that is refused before it begins, and a call after it."""
    try:
        await client.aio.models.generate_content_stream(model=MODEL, contents=QUESTION, unknown=1)
    except TypeError:
        await client.aio.models.generate_content(model=MODEL, contents=QUESTION)
        return
    raise AssertionError("no error")


run(
    {
        "automatic": lambda: client.models.generate_content(model=MODEL, contents=QUESTION, config=AUTOMATIC),
        "stream": lambda: drain(
            client.models.generate_content_stream(model=MODEL, contents=QUESTION, config=AUTOMATIC)
        ),
        "async": later,
        "async-stream": async_stream,
        "at-once": at_once,
        "fails-later": fails_later,
        "reused": reused,
        "refused": refused,
    }
)
