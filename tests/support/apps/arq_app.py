"""A worker of arq's with jobs that return what they saw: their tenant and their trace."""

import asyncio
import json
import os
from datetime import timedelta

from arq import cron, func
from arq.connections import RedisSettings
from arq.worker import Retry
from opentelemetry.context import attach, get_current, set_value
from opentelemetry.trace import format_trace_id, get_tracer

import tracium

if "UNTRACED" not in os.environ:
    # After arq was imported, as its command line has it.
    tracium.trace()


def seen(label):
    with get_tracer("app").start_as_current_span(label) as span:
        return [tracium.get_current_tenant(), format_trace_id(span.get_span_context().trace_id)]


async def work(ctx, label="work"):
    await asyncio.sleep(0)
    return seen(label)


async def change(ctx, tenant):
    tracium.set_tenant(tenant)
    attach(set_value("left", "behind", get_current()))
    get_tracer("app").start_span("changed").end()


async def meet(ctx):
    """Two of these run at once."""
    before = seen("before")
    await ctx["meeting"].wait()
    return [before, seen("after")]


async def fail(ctx):
    seen("failing")
    raise ValueError("as asked")


async def flaky(ctx):
    if ctx["job_try"] < 3:
        raise Retry(defer=timedelta(milliseconds=50) if ctx["job_try"] == 1 else None)
    return seen("flaky")


async def insist(ctx):
    raise Retry


async def wait(ctx):
    """Waits when it is run first."""
    if ctx["job_try"] == 1:
        await ctx["redis"].rpush(f"waiting:{ctx['job_id']}", "now")
        await asyncio.sleep(60)
    return seen("waited")


async def nest(ctx):
    job = await ctx["redis"].enqueue_job("work", "nested")
    return job.job_id


async def tick(ctx):
    seen("tick")


async def start(ctx):
    ctx["meeting"] = asyncio.Barrier(2)
    tracium.set_tenant("startup")


async def start_job(ctx):
    seen(f"start of {ctx['job_id']}")


async def end_job(ctx):
    seen(f"end of {ctx['job_id']}")


def dumps(payload):
    return json.dumps(payload, default=repr).encode()


def dumps_strictly(payload):
    if not set(payload) <= {"t", "f", "a", "k", "et", "s", "r", "st", "ft", "q", "id"}:
        raise TypeError("an unknown key")
    return dumps(payload)


SERIALIZERS = {
    "pickle": {},
    "json": {"job_serializer": dumps, "job_deserializer": json.loads},
    "strict": {"job_serializer": dumps_strictly, "job_deserializer": json.loads},
}
SERIALIZER = SERIALIZERS[os.environ.get("SERIALIZER", "pickle")]


class WorkerSettings:
    functions = (
        work,
        change,
        meet,
        fail,
        flaky,
        wait,
        nest,
        func(insist, max_tries=2),
        func(fail, name="fail_unkept", keep_result=0),
        func(wait, name="time_out", timeout=0.2),
        func(wait, name="time_out_unkept", timeout=0.2, keep_result=0),
    )
    cron_jobs = (cron(tick, run_at_startup=True),) if "CRON" in os.environ else ()
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS"])
    queue_name = os.environ.get("QUEUE", "arq:queue")
    on_startup = start
    on_job_start = start_job
    on_job_end = end_job
    allow_abort_jobs = True
    poll_delay = 0.05
    job_serializer = SERIALIZER.get("job_serializer")
    job_deserializer = SERIALIZER.get("job_deserializer")
