"""The calls of LangChain: OpenAI's models, a model of one's own, a graph with a tool."""

from __future__ import annotations

import os

from calls import KEPT, QUESTION, abandon, adrain, begin, drain, run, start

start()

from langchain.agents import create_agent  # noqa: E402 - traced before
from langchain_core.language_models.chat_models import BaseChatModel  # noqa: E402
from langchain_core.messages import AIMessage, AIMessageChunk  # noqa: E402
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult  # noqa: E402
from langchain_core.tools import tool  # noqa: E402
from langchain_openai import ChatOpenAI, OpenAIEmbeddings  # noqa: E402

URL = os.environ["VENDOR"] + "/v1"
SPENT = {"input_tokens": 21, "output_tokens": 22, "total_tokens": 43}


def model(name="gpt-4o", **options):
    return ChatOpenAI(model=name, base_url=URL, api_key="k", **options)


class Own(BaseChatModel):
    """A model that no client library stands behind."""

    named: bool = True

    @property
    def _identifying_params(self):
        return {"model_name": "own-1"} if self.named else {}

    @property
    def _llm_type(self):
        return "own"

    def _generate(self, messages, stop=None, run_manager=None, **_):
        return ChatResult(generations=[ChatGeneration(message=AIMessage("Hello", usage_metadata=SPENT))])

    def _stream(self, messages, stop=None, run_manager=None, **_):
        for text, usage in (("Hel", None), ("lo", SPENT)):
            yield ChatGenerationChunk(message=AIMessageChunk(content=text, usage_metadata=usage))


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sun in {city}"


def agent():
    return create_agent(model(stream_usage=True), [weather], name="helper")


ASKED = {"messages": [{"role": "user", "content": QUESTION}]}


def raises():
    try:
        model("broken", max_retries=0).invoke(QUESTION)
    except Exception as error:
        if "500" in str(error):
            return
    raise AssertionError("no error")


def broken_out():
    for _ in model().stream(QUESTION):
        break


async def async_stream():
    await adrain(model(stream_usage=True).astream(QUESTION))


run(
    {
        "plain": lambda: model().invoke(QUESTION),
        "stream": lambda: drain(model(stream_usage=True).stream(QUESTION)),
        "stream-without-usage": lambda: drain(model(stream_usage=False).stream(QUESTION)),
        "responses": lambda: model(use_responses_api=True).invoke(QUESTION),
        "responses-stream": lambda: drain(model(use_responses_api=True).stream(QUESTION)),
        "batch": lambda: model().batch([QUESTION, QUESTION]),
        "embeddings": lambda: OpenAIEmbeddings(base_url=URL, api_key="k", check_embedding_ctx_length=False).embed_query(
            QUESTION
        ),
        "async": lambda: model().ainvoke(QUESTION),
        "async-stream": async_stream,
        "own": lambda: Own().invoke(QUESTION),
        "own-stream": lambda: drain(Own().stream(QUESTION)),
        "nameless": lambda: Own(named=False).invoke(QUESTION),
        "agent": lambda: agent().invoke(ASKED),
        "agent-stream": lambda: drain(agent().stream(ASKED, stream_mode="messages")),
        "agent-async": lambda: agent().ainvoke(ASKED),
        "retried": lambda: model("busy-plain").invoke(QUESTION),
        "raised": raises,
        "abandoned": lambda: abandon(model("unfinished").stream(QUESTION)),
        "broken-out": broken_out,
        "unclosed": lambda: KEPT.append(begin(model("unfinished").stream(QUESTION))),
    }
)
