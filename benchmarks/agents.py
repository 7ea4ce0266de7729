"""What a decorated call that does nothing costs, as a ratio to the same span made by hand; CPU time.

By hand means `with tracer.start_as_current_span(name, attributes=…)` around the same call, under the same processors. All
variants run in one process, interleaved; the figure is the median over the rounds of the ratio within a round.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import tracium
from tracium.signals import tenant_span_processor
from tracium.signals.genai import GenAISpanProcessor

ROUNDS = 300
CALLS = 200


class Nowhere(SpanExporter):
    """Takes spans and forgets them."""

    def export(self, spans):  # noqa: ARG002 - the interface's
        return SpanExportResult.SUCCESS

    def shutdown(self):
        pass


def processors():
    """What `tracium.init` puts on a provider."""
    return (
        tenant_span_processor(),
        GenAISpanProcessor(),
        BatchSpanProcessor(Nowhere(), max_queue_size=20_000, schedule_delay_millis=50),
    )


provider = TracerProvider(shutdown_on_exit=False)
for processor in processors():
    provider.add_span_processor(processor)
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("benchmark")

STEP = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "nothing", "tracium.tags": ("@span:nothing",)}
RUN = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "app", "tracium.tags": ("@trace:nothing",)}


def nothing():
    pass


def step_by_hand():
    with tracer.start_as_current_span("execute_tool nothing", attributes=STEP):
        return nothing()


def run_by_hand():
    with tracer.start_as_current_span("invoke_agent app", attributes=RUN):
        return nothing()


decorated_step = tracium.agent_span("tool")(nothing)
decorated_run = tracium.agent_trace("app")(nothing)


def block_of_a_run():
    with tracium.start_trace("app"):
        return nothing()


async def nothing_async():
    pass


async def step_by_hand_async():
    with tracer.start_as_current_span("execute_tool nothing", attributes=STEP):
        return await nothing_async()


decorated_step_async = tracium.agent_span("tool", "nothing")(nothing_async)


def three():
    yield 1
    yield 2
    yield 3


def three_by_hand():
    with tracer.start_as_current_span("execute_tool three", attributes=STEP):
        yield from three()


decorated_three = tracium.agent_span("tool")(three)


def calls(function):
    """CPU seconds of this thread for one call."""
    begun = time.thread_time()
    for _ in range(CALLS):
        function()
    return (time.thread_time() - begun) / CALLS


def awaited(function):
    """The same for a coroutine function."""

    async def all_of_them():
        begun = time.thread_time()
        for _ in range(CALLS):
            await function()
        return (time.thread_time() - begun) / CALLS

    return asyncio.run(all_of_them())


def compare(title, variants, measured=calls):
    rounds = {name: [] for name in variants}
    gc.collect()
    gc.disable()
    for _ in range(ROUNDS):
        for name, function in variants.items():
            rounds[name].append(measured(function))
        gc.collect(0)
    gc.enable()
    by_hand = rounds["by hand"]
    print(f"\n{title} ({ROUNDS} rounds of {CALLS} calls)")
    for name, seconds in rounds.items():
        ratios = [mine / base for mine, base in zip(seconds, by_hand, strict=True)]
        print(f"  {name:28} {statistics.median(seconds) * 1e6:7.2f} µs   {statistics.median(ratios):5.3f}")


def steps_of(run):
    def step():
        with run.span("tool", "nothing"):
            return nothing()

    return step


def main():
    with tracium.tenant("acme"):
        compare("A run", {"by hand": run_by_hand, "@agent_trace": decorated_run, "start_trace": block_of_a_run})
        with tracium.start_trace("app") as run:
            variants = {"by hand": step_by_hand, "@agent_span": decorated_step, "run.span": steps_of(run)}
            compare("A step in a run, with a tenant", variants)
            compare(
                "A coroutine", {"by hand": step_by_hand_async, "@agent_span": decorated_step_async}, measured=awaited
            )
            variants = {"by hand": lambda: list(three_by_hand()), "@agent_span": lambda: list(decorated_three())}
            compare("A generator of three steps", variants)


if __name__ == "__main__":
    main()
