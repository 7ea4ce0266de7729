"""An app of TaskIQ's: `taskiq worker taskiq_app:broker` works, and `taskiq_app.py` sends what it is told to, line by line.

With `PLAIN` in the environment it knows nothing of tracium, with `AUTO` it leaves the start to
`opentelemetry-instrument`, and with `MIDDLEWARE` TaskIQ's own middleware makes the spans.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from datetime import UTC, datetime
from typing import Annotated

import redis
from opentelemetry import trace
from taskiq import (
    Context,
    SimpleRetryMiddleware,
    SmartRetryMiddleware,
    TaskiqDepends,
    TaskiqEvents,
    TaskiqMiddleware,
    TaskiqScheduler,
)
from taskiq.schedule_sources import LabelScheduleSource
from taskiq_redis import ListQueueBroker, ListRedisScheduleSource, RedisAsyncResultBackend

import tracium

URL = os.environ["REDIS_URL"]
PLAIN = "PLAIN" in os.environ

client = redis.Redis.from_url(URL)
# Before trace(): it is instrumented all the same.
broker = ListQueueBroker(URL).with_result_backend(RedisAsyncResultBackend(URL))
if not PLAIN and "AUTO" not in os.environ:
    tracium.trace(service_name="app")
source = ListRedisScheduleSource(URL)
scheduler = TaskiqScheduler(broker, [LabelScheduleSource(broker), source])
tracer = trace.get_tracer("app")


class Copies(TaskiqMiddleware):
    """Hands on another message than it got, as middlewares may."""

    def pre_execute(self, message):
        return message.model_copy(deep=True)


broker.add_middlewares(
    Copies(),
    SimpleRetryMiddleware(types_of_exceptions=[LookupError]),
    SmartRetryMiddleware(types_of_exceptions=[ConnectionError], default_delay=0),
    SmartRetryMiddleware(types_of_exceptions=[ArithmeticError], default_delay=0, schedule_source=source),
)
if "MIDDLEWARE" in os.environ:
    from taskiq.middlewares.opentelemetry_middleware import OpenTelemetryMiddleware

    broker.add_middlewares(OpenTelemetryMiddleware())


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def beat(state):
    """Wake the loop now and then: TaskIQ's handlers of signals do not, and the end would wait for Redis."""

    async def wake():
        while True:  # noqa: ASYNC110 - it is to wake up that it sleeps
            await asyncio.sleep(0.05)

    state.beating = asyncio.create_task(wake())


def note(name, label="work", *, last=True, **more):
    """Tell what holds here, in a span; and leave something behind at last, which must not get anywhere."""
    with tracer.start_as_current_span(f"{label} {name}") as span:
        told = {
            "label": label,
            "tenant": None if PLAIN else tracium.get_current_tenant(),
            "trace": format(span.get_span_context().trace_id, "032x"),
            "worker": [os.getpid(), threading.get_ident()],
        }
    client.rpush(f"notes:{name}", json.dumps(told | more))
    if last and not PLAIN:
        tracium.set_tenant("of the task before")


@broker.task
async def work(name):
    note(name, last=False)
    # Others run in between.
    for _ in range(3):
        await asyncio.sleep(0.002)
    note(name, "then")
    return name


@broker.task
def sync(name):
    note(name)


@broker.task
async def labels(name, context: Annotated[Context, TaskiqDepends()]):
    ours = {"traceparent", "tracestate", "baggage"}
    told = {key: value for key, value in context.message.labels.items() if key not in ours and key[0] != "_"}
    note(name, labels=told)


@broker.task(retry_on_error=True, max_retries=2)
async def flaky(name, context: Annotated[Context, TaskiqDepends()], kind="LookupError"):
    attempt = int(context.message.labels.get("_retries", 0))
    note(name, f"attempt {attempt}")
    if attempt == 0:
        raise {"LookupError": LookupError, "ConnectionError": ConnectionError, "ArithmeticError": ArithmeticError}[kind]


@broker.task
async def again(name, context: Annotated[Context, TaskiqDepends()]):
    attempt = int(context.message.labels.get("X-Taskiq-requeue", 0))
    note(name, f"attempt {attempt}")
    if attempt == 0:
        await context.requeue()


@broker.task(timeout=0.05)
async def endless(name):
    note(name, last=False)
    try:
        await asyncio.Event().wait()
    finally:
        note(name, "interrupted")


@broker.task
async def outer(name):
    await sync.kiq(name)
    note(name, "outer")


def needed(context: Annotated[Context, TaskiqDepends()]):
    note(context.message.args[0], "before", last=False)


async def needed_all_along(context: Annotated[Context, TaskiqDepends()]):
    yield note(context.message.args[0], "around", last=False)
    note(context.message.args[0], "after", last=False)


@broker.task
async def depends(
    name,
    _one: Annotated[None, TaskiqDepends(needed)],
    _other: Annotated[None, TaskiqDepends(needed_all_along)],
):
    note(name, last=False)


@broker.task
async def meet(name):
    """Wait until the other process has a message too."""
    note(name, last=False)
    client.sadd("met", os.getpid())
    while client.scard("met") < 2:  # noqa: ASYNC110 - nothing in this process tells it
        await asyncio.sleep(0.01)


@broker.task(schedule=[{"time": datetime.now(UTC), "args": ["of the code"]}])
async def scheduled(name):
    note(name)


async def flaky_otherwise(name):
    await flaky.kiq(name, kind="ConnectionError")


async def flaky_through_schedule(name):
    await flaky.kiq(name, kind="ArithmeticError")


async def with_labels(name):
    await labels.kicker().with_labels(color="red", number=7, traceparent=5).kiq(name)


async def by_time(name):
    await scheduled.schedule_by_time(source, datetime.now(UTC), name)


async def by_cron(name):
    await scheduled.schedule_by_cron(source, "* * * * *", name)


async def with_result(name):
    task = await work.kiq(name)
    assert (await task.wait_result(check_interval=0.01, timeout=20)).return_value == name


# What is sent, and how many notes it makes.
SENT = {
    "kiq": work.kiq,
    "kicker().with_labels().kiq": with_labels,
    "sync task": sync.kiq,
    "SimpleRetryMiddleware": flaky.kiq,
    "SmartRetryMiddleware": flaky_otherwise,
    "SmartRetryMiddleware with a schedule source": flaky_through_schedule,
    "requeue": again.kiq,
    "timeout": endless.kiq,
    "kiq in a task": outer.kiq,
    "dependencies": depends.kiq,
    "schedule_by_time": by_time,
    "schedule_by_cron": by_cron,
    "wait_result": with_result,
    "meet": meet.kiq,
}


async def main():
    """For each line on stdin, `{"kind", "name", "tenant"}`: send it in a request, and say that one's trace."""
    await broker.startup()
    await source.startup()
    for line in sys.stdin:
        told = json.loads(line)
        with tracer.start_as_current_span(f"request {told['name']}") as span, tracium.tenant(told["tenant"]):
            await SENT[told["kind"]](told["name"])
        sys.stdout.write(format(span.get_span_context().trace_id, "032x") + "\n")
        sys.stdout.flush()
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
