"""The calls of OpenAI's agents."""

from __future__ import annotations

import asyncio
import os

from calls import QUESTION, adrain, run, start

start()

from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool  # noqa: E402 - traced before
from openai import AsyncOpenAI  # noqa: E402


@function_tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sun in {city}"


def agent(kind, name="gpt-4o"):
    client = AsyncOpenAI(base_url=os.environ["VENDOR"] + "/v1", api_key="k")
    return Agent("helper", instructions="Be kind.", tools=[weather], model=kind(name, client))


async def streamed(kind):
    result = Runner.run_streamed(agent(kind), QUESTION)
    await adrain(result.stream_events())


async def broken_out():
    result = Runner.run_streamed(agent(OpenAIResponsesModel), QUESTION)
    async for _ in result.stream_events():
        break
    result.cancel()


async def raises():
    try:
        await Runner.run(agent(OpenAIResponsesModel, "broken"), QUESTION)
    except Exception as error:
        if "500" in str(error):
            return
    raise AssertionError("no error")


run(
    {
        "agent": lambda: Runner.run(agent(OpenAIResponsesModel), QUESTION),
        "agent-chat": lambda: Runner.run(agent(OpenAIChatCompletionsModel), QUESTION),
        "agent-sync": lambda: asyncio.to_thread(Runner.run_sync, agent(OpenAIResponsesModel), QUESTION),
        "agent-stream": lambda: streamed(OpenAIResponsesModel),
        "agent-chat-stream": lambda: streamed(OpenAIChatCompletionsModel),
        "retried": lambda: Runner.run(agent(OpenAIResponsesModel, "busy-agent"), QUESTION),
        "raised": raises,
        "broken-out": broken_out,
    }
)
