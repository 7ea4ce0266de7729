"""Dramatiq: `dramatiq dramatiq_tasks`, two processes of four threads."""

import os

import tracium

tracium.trace()

import dramatiq  # noqa: E402 - as an app that is traced from its first line
from dramatiq.brokers.redis import RedisBroker  # noqa: E402
from work import send_each, work  # noqa: E402

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"]))


@dramatiq.actor(max_retries=0)
def task(number):
    work(number)


def send(numbers):
    send_each(numbers, task.send)


def worker(bin_):
    return [[str(bin_ / "dramatiq"), "dramatiq_tasks", "--processes", "2", "--threads", "4"]]
