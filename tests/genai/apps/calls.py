"""What the apps of these tests share: each call is made for a tenant of its own, under a span of the app's own."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import os
import sys
import threading

QUESTION = "What is the secret word?"
KEPT = []  # what an app never lets go


def traced():
    """Whether tracium is to be there: unless `UNTRACED` is set."""
    return "UNTRACED" not in os.environ


def start():
    """Begin to trace, if tracium is to be there."""
    if traced():
        import tracium

        tracium.trace()


def run(scenarios):
    """Make each call of `scenarios` for the tenant of its name, or those alone that the command line names."""
    wanted = sys.argv[1:] or list(scenarios)
    # One loop for all: clients of async libraries are kept, and belong to the loop that they began in.
    with asyncio.Runner() as loop:
        for name in wanted:
            if traced():
                _for_customer(name, scenarios[name], loop)
            else:
                _call(scenarios[name], loop)


def _for_customer(name, scenario, loop):
    from opentelemetry.trace import get_tracer

    import tracium

    with tracium.tenant(f"customer-{name}"), get_tracer("app").start_as_current_span(f"work {name}"):
        _call(scenario, loop)


def _call(scenario, loop):
    made = scenario()
    if inspect.isawaitable(made):
        # A context of its own for each, or the loop's would keep the first tenant.
        loop.run(_awaited(made), context=contextvars.copy_context())


async def _awaited(made):
    return await made


def drain(stream):
    """Read a stream to its end."""
    for _ in stream:
        pass


async def adrain(stream):
    """Read an async stream to its end."""
    async for _ in stream:
        pass


def begin(stream):
    """Read the first piece of a stream; gives the stream."""
    next(iter(stream))
    return stream


def abandon(stream):
    """Read one piece, and let the stream go without a word. The caller must hold it no more."""
    next(iter(stream))
    del stream
    gc.collect()


def elsewhere(close):
    """Close a stream in another thread."""
    thread = threading.Thread(target=close)
    thread.start()
    thread.join()
