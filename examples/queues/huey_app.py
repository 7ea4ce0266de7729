"""Huey: a task runs for the customer for whom it was made, however much later.

Run it; spans go to http://localhost:4318, where `tracium serve` listens, or to TRACIUM_ENDPOINT:

    pip install tracium huey redis
    export REDIS_URL=redis://localhost:6379
    huey_consumer huey_app.huey
    python -c "from huey_app import main; main()"

The module is imported under its own name, because tasks are sent by theirs.

What it shows: Huey's messages have no headers, so a task takes them along as an argument that its function does not see.
They are written where the task is made, which is why retries, delays, pipelines, groups and chords have them too. What
Huey makes itself, a periodic task, is nobody's.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

from huey import RedisHuey
from huey.api import Task, TaskWrapper

import tracium

tracium.trace()


class CarryingTask(TaskWrapper):
    """A task whose messages carry for whom they were made."""

    def s(self, *args: Any, **kwargs: Any) -> Task:
        return super().s(*args, **kwargs, tracium_headers=_headers())

    def schedule(self, args: Any = None, kwargs: dict[str, Any] | None = None, **options: Any) -> Any:
        return super().schedule(args, {**(kwargs or {}), "tracium_headers": _headers()}, **options)

    def create_task(self, func: Callable[..., Any], *args: Any, **settings: Any) -> type[Task]:
        # Sent without these headers, by Huey itself or by an app that knows nothing of them, it is nobody's.
        @functools.wraps(func)
        def process(*args: Any, tracium_headers: dict[str, str] | None = None, **kwargs: Any) -> Any:
            with tracium.queues.message(tracium_headers, destination=func.__name__, system="huey"):
                return func(*args, **kwargs)

        return super().create_task(process, *args, **settings)


class CarryingHuey(RedisHuey):
    """The same for any other class of Huey's."""

    def get_task_wrapper_class(self) -> type[TaskWrapper]:
        return CarryingTask


def _headers() -> dict[str, str]:
    headers: dict[str, str] = {}
    tracium.queues.inject(headers)
    return headers


huey = CarryingHuey("shop", url=os.environ.get("REDIS_URL", "redis://localhost:6379"))


@huey.task()
def pack(order: str) -> str:
    with tracium.start_trace(agent_name="packer") as run, run.span("tool", "pack_order"):
        return f"{order}: for {tracium.get_current_tenant() or 'nobody'}"


def main() -> None:
    results = []
    for customer, order in (("acme", "order 1"), ("globex", "order 2"), ("acme", "order 3")):
        with tracium.tenant(customer), tracium.start_trace(agent_name="shop"):
            results.append(pack(order))
    results.append(pack("order 4"))
    for result in results:
        print(result.get(blocking=True, timeout=30))
