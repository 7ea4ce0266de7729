"""APScheduler 3: a job runs for the customer for whom it was added, hours later and in another process too.

Run it; spans go to http://localhost:4318, where `tracium serve` listens, or to TRACIUM_ENDPOINT:

    pip install tracium "apscheduler<4" redis
    export REDIS_URL=redis://localhost:6379
    python -c "from apscheduler_app import main; main()"

The module is imported under its own name, because job stores keep functions by theirs.

What it shows: a job has no headers, so they are the first of its arguments, which every job store keeps. The job that is
added outside of any tenant is nobody's, and one that is written for a customer says so itself.
"""

import inspect
import os
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from apscheduler.job import Job
from apscheduler.jobstores.redis import RedisJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import BaseScheduler

import tracium

tracium.trace()


def add_job(scheduler: BaseScheduler, function: Callable[..., Any], trigger: str, *args: Any, **options: Any) -> Job:
    """Add a job that runs for whoever is served now."""
    headers: dict[str, str] = {}
    tracium.queues.inject(headers)
    if trigger != "date":
        headers.pop("traceparent", None)  # what is done again and again is not one trace
    run = run_coroutine if inspect.iscoroutinefunction(function) else run_function
    return scheduler.add_job(run, trigger, [headers, function, *args], name=function.__name__, **options)


def run_function(headers: dict[str, str], function: Callable[..., Any], *args: Any) -> Any:
    with tracium.queues.message(headers, destination=function.__name__, system="apscheduler"):
        return function(*args)


async def run_coroutine(headers: dict[str, str], function: Callable[..., Any], *args: Any) -> Any:
    with tracium.queues.message(headers, destination=function.__name__, system="apscheduler"):
        return await function(*args)


packed = threading.Semaphore(0)


def pack(order: str) -> None:
    with tracium.start_trace(agent_name="packer") as run, run.span("tool", "pack_order"):
        print(f"{order}: for {tracium.get_current_tenant() or 'nobody'}", flush=True)
    packed.release()


@tracium.tenant("acme")
def report() -> None:
    """Written for one customer; without the decorator it would be nobody's."""
    pack("report")


def main() -> None:
    redis = urlsplit(os.environ.get("REDIS_URL", "redis://localhost:6379"))
    store = RedisJobStore(host=redis.hostname, port=redis.port)
    # One thread, to show that it serves all of them.
    scheduler = BackgroundScheduler(
        jobstores={"default": store},
        executors={"default": {"type": "threadpool", "max_workers": 1}},
        job_defaults={"misfire_grace_time": None},
    )
    scheduler.start()  # outside of any tenant: its thread is nobody's
    for customer, order in (("acme", "order 1"), ("globex", "order 2"), ("acme", "order 3")):
        with tracium.tenant(customer), tracium.start_trace(agent_name="shop"):
            add_job(scheduler, pack, "date", order)
    add_job(scheduler, report, "interval", seconds=1, id="report", replace_existing=True)
    for _ in range(4):
        packed.acquire(timeout=30)
    add_job(scheduler, pack, "date", "order 4")
    packed.acquire(timeout=30)
    scheduler.remove_job("report")
    scheduler.shutdown()
