"""RQ: `rq worker`, which forks a process for each job."""

import os

from redis import Redis
from rq import Queue
from work import send_each, work

import tracium

tracium.trace()


def task(number):
    work(number)


def send(numbers):
    queue = Queue("soak", connection=Redis.from_url(os.environ["REDIS_URL"]))
    send_each(numbers, lambda number: queue.enqueue(task, number, result_ttl=0, failure_ttl=0))


def worker(bin_):
    command = [
        str(bin_ / "opentelemetry-instrument"),
        str(bin_ / "rq"),
        "worker",
        "--quiet",
        "--url",
        os.environ["REDIS_URL"],
    ]
    return [[*command, "soak"]] * 2
