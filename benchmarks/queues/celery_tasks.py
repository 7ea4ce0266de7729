"""Celery: `celery -A celery_tasks worker`."""

import os

from celery import Celery
from work import send_each, work

import tracium

tracium.trace()
app = Celery("soak", broker=os.environ["REDIS_URL"])
app.conf.task_ignore_result = True


@app.task(name="work")
def task(number):
    work(number)


def send(numbers):
    send_each(numbers, task.delay)


def worker(bin_):
    return [
        [
            *(str(bin_ / "celery"), "-A", "celery_tasks", "worker", "--pool", "prefork", "-c", "2"),
            "--loglevel",
            "CRITICAL",
        ]
    ]
