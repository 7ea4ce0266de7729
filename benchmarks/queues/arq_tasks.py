"""arq: `arq arq_tasks.Worker`, in an environment of its own."""

import asyncio
import os

from arq import create_pool
from arq.connections import RedisSettings
from work import tenant_of, work

import tracium

tracium.trace()
SETTINGS = RedisSettings.from_dsn(os.environ["REDIS_URL"])


async def task(_context, number):
    await asyncio.sleep(0)
    work(number)


class Worker:
    functions = (task,)
    redis_settings = SETTINGS
    keep_result = 0
    max_tries = 1
    max_jobs = 20
    poll_delay = 0.02


async def _send(numbers):
    pool = await create_pool(SETTINGS)
    for number in numbers:
        with tracium.tenant(tenant_of(number)):
            await pool.enqueue_job("task", number)
    await pool.aclose()


def send(numbers):
    asyncio.run(_send(numbers))


def worker(bin_):
    return [[str(bin_ / "arq"), "arq_tasks.Worker"]] * 2
