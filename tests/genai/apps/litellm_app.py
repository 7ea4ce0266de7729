"""The calls of LiteLLM, with OpenAI's and Anthropic's models, as the library comes."""

from __future__ import annotations

import os

from calls import KEPT, QUESTION, abandon, adrain, begin, drain, run, start

start()

import litellm  # noqa: E402 - traced before

litellm.suppress_debug_info = True

OPENAI = {"api_base": os.environ["VENDOR"] + "/v1", "api_key": "k"}
ASKED = [{"role": "user", "content": QUESTION}]


def ask(model="openai/gpt-4o", **options):
    return litellm.completion(model=model, messages=ASKED, **OPENAI, **options)


def stream(model="openai/gpt-4o", **options):
    return ask(model, stream=True, stream_options={"include_usage": True}, **options)


def claude(**options):
    there = {"api_base": os.environ["ANTHROPIC_VENDOR"], "api_key": "k"}
    return litellm.completion(model="anthropic/claude-sonnet-5", messages=ASKED, **there, **options)


def raises():
    try:
        ask("openai/broken", max_retries=0)
    except Exception as error:
        if "500" in str(error):
            return
    raise AssertionError("no error")


def broken_out():
    for _ in stream():
        break


async def later():
    await litellm.acompletion(model="openai/gpt-4o", messages=ASKED, **OPENAI)


async def async_stream():
    options = {"stream": True, "stream_options": {"include_usage": True}}
    await adrain(await litellm.acompletion(model="openai/gpt-4o", messages=ASKED, **OPENAI, **options))


run(
    {
        "plain": ask,
        "stream": lambda: drain(stream()),
        "stream-without-usage": lambda: drain(ask(stream=True)),
        "anthropic": claude,
        "anthropic-stream": lambda: drain(claude(stream=True)),
        "embeddings": lambda: litellm.embedding(model="openai/text-embedding-3-small", input=[QUESTION], **OPENAI),
        "async": later,
        "async-stream": async_stream,
        "retried": lambda: ask("openai/busy-plain", max_retries=2),
        "raised": raises,
        "abandoned": lambda: abandon(stream("openai/unfinished")),
        "broken-out": broken_out,
        "unclosed": lambda: KEPT.append(begin(stream("openai/unfinished"))),
    }
)
