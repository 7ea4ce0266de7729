"""The calls of Google's client."""

from __future__ import annotations

import os

from calls import KEPT, QUESTION, abandon, adrain, begin, drain, run, start

start()

from google import genai  # noqa: E402 - traced before
from google.genai import errors, types  # noqa: E402

RETRIES = types.HttpRetryOptions(attempts=2, initial_delay=0.01, max_delay=0.01)
OPTIONS = types.HttpOptions(base_url=os.environ["VENDOR"], retry_options=RETRIES)
client = genai.Client(api_key="k", http_options=OPTIONS)
TOOLS = {"tools": [{"function_declarations": [{"name": "weather"}]}]}


def ask(model="gemini-2.5-flash", **options):
    return client.models.generate_content(model=model, contents=QUESTION, **options)


def stream(model="gemini-2.5-flash", **options):
    return client.models.generate_content_stream(model=model, contents=QUESTION, **options)


def weather(city: str) -> str:
    """Tell the weather."""
    return f"sun in {city}"


def raises():
    try:
        ask("broken")
    except errors.APIError:
        return
    raise AssertionError("no error")


def broken_out():
    for _ in stream():
        break


async def later():
    await client.aio.models.generate_content(model="gemini-2.5-flash", contents=QUESTION)


async def async_stream():
    await adrain(await client.aio.models.generate_content_stream(model="gemini-2.5-flash", contents=QUESTION))


run(
    {
        "plain": ask,
        "stream": lambda: drain(stream()),
        "tools": lambda: ask(config=TOOLS),
        "tools-stream": lambda: drain(stream(config=TOOLS)),
        "automatic-tools": lambda: ask(config={"tools": [weather]}),
        "embeddings": lambda: client.models.embed_content(model="gemini-embedding-001", contents=QUESTION),
        "async": later,
        "async-stream": async_stream,
        "retried": lambda: ask("busy-plain"),
        "raised": raises,
        "cut": lambda: drain(stream("cut")),
        "abandoned": lambda: abandon(stream("unfinished")),
        "broken-out": broken_out,
        "unclosed": lambda: KEPT.append(begin(stream("unfinished"))),
        "unread": lambda: KEPT.append(stream("unfinished")),
    }
)
