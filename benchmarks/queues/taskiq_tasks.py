"""TaskIQ: `taskiq worker`, two processes, sync tasks in threads and async ones at once."""

import asyncio
import os

from taskiq_redis import ListQueueBroker
from work import tenant_of, work

import tracium

tracium.trace()
broker = ListQueueBroker(os.environ["REDIS_URL"])


@broker.task(task_name="sync")
def sync_task(number: int) -> None:
    work(number)


@broker.task(task_name="async")
async def async_task(number: int) -> None:
    await asyncio.sleep(0)
    work(number)


async def _send(numbers):
    await broker.startup()
    for number in numbers:
        with tracium.tenant(tenant_of(number)):
            await (async_task if number % 2 else sync_task).kiq(number)
    await broker.shutdown()


def send(numbers):
    asyncio.run(_send(numbers))


def worker(bin_):
    return [[str(bin_ / "taskiq"), "worker", "--workers", "2", "--log-level", "CRITICAL", "taskiq_tasks:broker"]]
