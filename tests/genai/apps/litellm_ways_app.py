"""The other ways to a model through LiteLLM: routers, retries, fallbacks, caches, interfaces by one another, callbacks.

LiteLLM is imported, and a function of it held, before anything is traced.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import types

import litellm
from calls import KEPT, QUESTION, adrain, begin, drain, elsewhere, run, start, traced
from litellm import completion as held
from litellm.caching.caching import Cache

start()

litellm.suppress_debug_info = True
# LiteLLM's cache imports a part of its proxy, and with it what only the proxy's extra installs.
sys.modules.setdefault("soundfile", types.ModuleType("soundfile"))

OPENAI = {"api_base": os.environ["VENDOR"] + "/v1", "api_key": "k"}
CLAUDE = {"model": "anthropic/claude-sonnet-5", "api_base": os.environ["ANTHROPIC_VENDOR"], "api_key": "k"}
ASKED = [{"role": "user", "content": QUESTION}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


def ask(model="openai/gpt-4o", **options):
    return litellm.completion(model=model, messages=ASKED, **OPENAI, **options)


def router(*models, **options):
    groups = [
        {"model_name": name, "litellm_params": {"model": f"openai/{model}", **OPENAI, "max_retries": 0}}
        for name, model in models
    ]
    return litellm.Router(model_list=groups, retry_after=0, **options)


def falling_back():
    return router(("first", "broken"), ("second", "gpt-4o"), fallbacks=[{"first": ["second"]}], num_retries=0)


async def router_async():
    await falling_back().acompletion(model="first", messages=ASKED)


async def router_stream():
    await adrain(await falling_back().acompletion(model="first", messages=ASKED, **STREAMED))


def cached(**options):
    litellm.cache = Cache(type="local")
    try:
        for _ in range(2):
            found = ask(caching=True, **options)
            if options:
                drain(found)
    finally:
        litellm.cache = None


async def async_responses():
    await litellm.aresponses(model="openai/gpt-4o", input=QUESTION, **OPENAI)


async def async_responses_stream():
    await adrain(await litellm.aresponses(model="openai/gpt-4o", input=QUESTION, stream=True, **OPENAI))


async def flagged():
    await litellm.completion(model="openai/gpt-4o", messages=ASKED, acompletion=True, **OPENAI)


async def read_both_ways():
    await adrain(ask(**STREAMED))


async def closed_async():
    stream = await litellm.acompletion(model="openai/gpt-4o", messages=ASKED, **OPENAI, **STREAMED)
    assert isinstance(stream, litellm.CustomStreamWrapper)
    await anext(aiter(stream))
    await stream.aclose()


async def embedded():
    await litellm.aembedding(model="openai/text-embedding-3-small", input=[QUESTION], **OPENAI)


def judged():
    """A callback that asks a model itself what to think of the answer."""
    done = threading.Event()

    def judge(kwargs, *_):
        litellm.success_callback = []
        ask("openai/judge")
        done.set()

    litellm.success_callback = [judge]
    ask()
    assert done.wait(30)


def handed_over():
    """Begin a stream for this customer, and read it while another one is served."""
    opened = ask(**STREAMED)
    elsewhere(lambda: serve_other(opened))


def serve_other(opened):
    if traced():
        import tracium

        with tracium.tenant("customer-other"):
            drain(opened)
            assert tracium.get_current_tenant() == "customer-other"
    else:
        drain(opened)


def closed():
    stream = begin(ask(**STREAMED))
    assert isinstance(stream, litellm.CustomStreamWrapper)
    assert hasattr(stream, "aclose")
    stream.close()


def as_with():
    with ask(**STREAMED) as stream:
        drain(stream)


def pickled():
    function = pickle.loads(pickle.dumps(litellm.completion))
    function("openai/gpt-4o", ASKED, **OPENAI)


async def broken():
    try:
        await litellm.acompletion(model="openai/broken", messages=ASKED, max_retries=0, **OPENAI)
    except litellm.InternalServerError:
        return
    raise AssertionError("no error")


def refused():
    """An app's own mistake: it gets LiteLLM's own answer to it."""
    try:
        litellm.completion(model="a-model-of-nobody", messages=ASKED)
    except litellm.BadRequestError:
        return
    raise AssertionError("no error")


run(
    {
        "held": lambda: held(model="openai/gpt-4o", messages=ASKED, **OPENAI),
        "tools-stream": lambda: drain(ask(tools=TOOLS, **STREAMED)),
        "router": lambda: falling_back().completion(model="first", messages=ASKED),
        "router-async": router_async,
        "router-stream": router_stream,
        "router-retries": lambda: router(("one", "busy-router"), num_retries=2).completion(model="one", messages=ASKED),
        "retries": lambda: ask("openai/busy-retries", num_retries=2, max_retries=0),
        "falls-back": lambda: ask("openai/broken", fallbacks=["openai/gpt-4o"], max_retries=0),
        "cached": cached,
        "cached-stream": lambda: cached(**STREAMED),
        "responses": lambda: litellm.responses(input=QUESTION, model="openai/gpt-4o", **OPENAI),
        "responses-stream": lambda: drain(litellm.responses(QUESTION, "openai/gpt-4o", stream=True, **OPENAI)),
        "responses-async": async_responses,
        "responses-async-stream": async_responses_stream,
        "responses-claude": lambda: litellm.responses(input=QUESTION, **CLAUDE),
        "responses-claude-stream": lambda: drain(litellm.responses(input=QUESTION, stream=True, **CLAUDE)),
        "text": lambda: litellm.text_completion(QUESTION, **CLAUDE),
        "text-stream": lambda: drain(litellm.text_completion(QUESTION, stream=True, **CLAUDE)),
        "batch": lambda: litellm.batch_completion(model="openai/gpt-4o", messages=[ASKED, ASKED], **OPENAI),
        "flagged": flagged,
        "both-ways": read_both_ways,
        "with": as_with,
        "pickled": pickled,
        "embedded": embedded,
        "judged": judged,
        "handed-over": handed_over,
        "closed": closed,
        "closed-async": closed_async,
        "broken": broken,
        "refused": refused,
        "unclosed": lambda: KEPT.append(begin(litellm.responses(QUESTION, "openai/unfinished", stream=True, **OPENAI))),
    }
)
