"""The calls of the OpenAI client."""

from __future__ import annotations

import asyncio
import os

from calls import KEPT, QUESTION, abandon, adrain, begin, drain, elsewhere, run, start

start()

from openai import APIStatusError, AsyncOpenAI, OpenAI  # noqa: E402 - traced before

URL = os.environ["VENDOR"] + "/v1"
client = OpenAI(base_url=URL, api_key="k", max_retries=2)
ASKED = [{"role": "user", "content": QUESTION}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]


def chat(model="gpt-4o", **options):
    return client.chat.completions.create(model=model, messages=ASKED, **options)


def stream(model="gpt-4o", **options):
    return chat(model, stream=True, stream_options={"include_usage": True}, **options)


def respond(model="gpt-4o", **options):
    return client.responses.create(model=model, input=QUESTION, **options)


def raises():
    try:
        chat("broken")
    except APIStatusError:
        return
    raise AssertionError("no error")


def broken_out():
    for _ in stream():
        break


def closed_elsewhere():
    opened = begin(stream())
    elsewhere(opened.close)


def helper():
    with client.chat.completions.stream(
        model="gpt-4o", messages=ASKED, stream_options={"include_usage": True}
    ) as opened:
        drain(opened)


def raw():
    client.chat.completions.with_raw_response.create(model="gpt-4o", messages=ASKED).parse()


def responses_helper():
    with client.responses.stream(model="gpt-4o", input=QUESTION) as opened:
        drain(opened)


async def later(call):
    async with AsyncOpenAI(base_url=URL, api_key="k") as other:
        await call(other)


async def closed_in_another_task(other):
    opened = await other.chat.completions.create(model="gpt-4o", messages=ASKED, stream=True)
    await anext(aiter(opened))
    await asyncio.create_task(opened.close())


async def cancelled(other):
    async def read():
        opened = await other.chat.completions.create(model="unfinished", messages=ASKED, stream=True)
        async for _ in opened:
            started.set()

    started = asyncio.Event()
    reading = asyncio.create_task(read())
    await started.wait()
    reading.cancel()
    await asyncio.wait([reading])


async def async_streamed(other):
    options = {"stream": True, "stream_options": {"include_usage": True}}
    await adrain(await other.chat.completions.create(model="gpt-4o", messages=ASKED, **options))


run(
    {
        "plain": chat,
        "stream": lambda: drain(stream()),
        "stream-without-usage": lambda: drain(chat(stream=True)),
        "helper": helper,
        "raw": raw,
        "tools": lambda: chat(tools=TOOLS),
        "tools-stream": lambda: drain(stream(tools=TOOLS)),
        "responses": respond,
        "responses-stream": lambda: drain(respond(stream=True)),
        "responses-helper": responses_helper,
        "embeddings": lambda: client.embeddings.create(model="text-embedding-3-small", input=QUESTION),
        "async": lambda: later(lambda other: other.chat.completions.create(model="gpt-4o", messages=ASKED)),
        "async-stream": lambda: later(async_streamed),
        "retried": lambda: chat("busy-plain"),
        "retried-stream": lambda: drain(stream("busy-stream")),
        "raised": raises,
        "cut": lambda: drain(stream("cut")),
        "abandoned": lambda: abandon(stream("unfinished")),
        "broken-out": broken_out,
        "closed-elsewhere": closed_elsewhere,
        "closed-in-another-task": lambda: later(closed_in_another_task),
        "cancelled": lambda: later(cancelled),
        "unclosed": lambda: KEPT.append(begin(stream("unfinished"))),
        "unread": lambda: KEPT.append(stream("unfinished")),
        "responses-abandoned": lambda: abandon(respond("unfinished", stream=True)),
        "responses-unclosed": lambda: KEPT.append(begin(respond("unfinished", stream=True))),
    }
)
