"""The calls of the Anthropic client."""

from __future__ import annotations

import asyncio
import os

from calls import KEPT, QUESTION, abandon, adrain, begin, drain, elsewhere, run, start

start()

from anthropic import Anthropic, APIStatusError, AsyncAnthropic  # noqa: E402 - traced before

URL = os.environ["VENDOR"]
client = Anthropic(base_url=URL, api_key="k")
ASKED = {"max_tokens": 99, "messages": [{"role": "user", "content": QUESTION}]}
TOOLS = [{"name": "weather", "input_schema": {"type": "object", "properties": {}}}]


def ask(model="claude-sonnet-5", **options):
    return client.messages.create(model=model, **ASKED, **options)


def stream(model="claude-sonnet-5", **options):
    return ask(model, stream=True, **options)


def helper(model="claude-sonnet-5"):
    with client.messages.stream(model=model, **ASKED) as opened:
        drain(opened)
        opened.get_final_message()


def helper_text():
    with client.messages.stream(model="claude-sonnet-5", **ASKED) as opened:
        drain(opened.text_stream)


def helper_broken_out():
    with client.messages.stream(model="unfinished", **ASKED) as opened:
        for _ in opened.text_stream:
            break


def raises():
    try:
        ask("broken")
    except APIStatusError:
        return
    raise AssertionError("no error")


def broken_out():
    for _ in stream():
        break


def closed_elsewhere():
    elsewhere(begin(stream()).close)


async def later(call):
    async with AsyncAnthropic(base_url=URL, api_key="k") as other:
        await call(other)


async def async_helper(other):
    async with other.messages.stream(model="claude-sonnet-5", **ASKED) as opened:
        await adrain(opened)


async def closed_in_another_task(other):
    opened = await other.messages.create(model="claude-sonnet-5", stream=True, **ASKED)
    await anext(aiter(opened))
    await asyncio.create_task(opened.close())


async def async_stream(other):
    await adrain(await other.messages.create(model="claude-sonnet-5", stream=True, **ASKED))


run(
    {
        "plain": ask,
        "stream": lambda: drain(stream()),
        "helper": helper,
        "helper-text": helper_text,
        "raw": lambda: client.messages.with_raw_response.create(model="claude-sonnet-5", **ASKED).parse(),
        "tools": lambda: ask(tools=TOOLS),
        "tools-stream": lambda: drain(stream(tools=TOOLS)),
        "async": lambda: later(lambda other: other.messages.create(model="claude-sonnet-5", **ASKED)),
        "async-stream": lambda: later(async_stream),
        "async-helper": lambda: later(async_helper),
        "retried": lambda: ask("busy-plain"),
        "retried-stream": lambda: drain(stream("busy-stream")),
        "raised": raises,
        "cut": lambda: drain(stream("cut")),
        "abandoned": lambda: abandon(stream("unfinished")),
        "broken-out": broken_out,
        "helper-broken-out": helper_broken_out,
        "closed-elsewhere": closed_elsewhere,
        "closed-in-another-task": lambda: later(closed_in_another_task),
        "unclosed": lambda: KEPT.append(begin(stream("unfinished"))),
        "unread": lambda: KEPT.append(stream("unfinished")),
    }
)
