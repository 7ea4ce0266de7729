"""The calls of LlamaIndex: OpenAI's models, and an agent with a tool."""

from __future__ import annotations

import os

from calls import KEPT, QUESTION, abandon, adrain, begin, drain, run, start

start()

from llama_index.core.agent.workflow import FunctionAgent  # noqa: E402 - traced before
from llama_index.core.llms import ChatMessage  # noqa: E402
from llama_index.llms.openai import OpenAI  # noqa: E402

THERE = {"api_base": os.environ["VENDOR"] + "/v1", "api_key": "k", "max_retries": 2}
ASKED = [ChatMessage(role="user", content=QUESTION)]
USAGE = {"stream_options": {"include_usage": True}}


def model(**options):
    return OpenAI(model="gpt-4o", **THERE, **options)


def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sun in {city}"


async def agent(**options):
    helper = FunctionAgent(name="helper", tools=[weather], llm=model(**options), system_prompt="Be kind.")
    await helper.run(QUESTION)


async def async_stream():
    await adrain(await model(additional_kwargs=USAGE).astream_chat(ASKED))


def broken_out():
    for _ in model().stream_chat(ASKED):
        break


run(
    {
        "plain": lambda: model().chat(ASKED),
        "complete": lambda: model().complete(QUESTION),
        "stream": lambda: drain(model(additional_kwargs=USAGE).stream_chat(ASKED)),
        "stream-without-usage": lambda: drain(model().stream_chat(ASKED)),
        "async": lambda: model().achat(ASKED),
        "async-stream": async_stream,
        "agent": lambda: agent(additional_kwargs=USAGE),
        "abandoned": lambda: abandon(model().stream_chat(ASKED)),
        "broken-out": broken_out,
        "unclosed": lambda: KEPT.append(begin(model().stream_chat(ASKED))),
    }
)
