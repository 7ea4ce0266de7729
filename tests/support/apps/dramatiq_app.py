"""An app of Dramatiq's: `dramatiq dramatiq_app` works, and `dramatiq_app.py` sends what it is told to, line by line.

With `PLAIN` in the environment it knows nothing of tracium; with `AUTO` it leaves the start to `opentelemetry-instrument`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO, CurrentMessage, GroupCallbacks, TimeLimit
from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.rate_limits.backends import RedisBackend as LimitsBackend
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from opentelemetry import trace

import tracium

URL = os.environ["REDIS_URL"]
PLAIN = "PLAIN" in os.environ


class Skips(dramatiq.Middleware):
    """Notes what is skipped."""

    def after_skip_message(self, broker, message):
        note(message.args[0], "skipped")


client = redis.Redis.from_url(URL)
limits = LimitsBackend(url=URL)
broker = RedisBroker(url=URL)  # before trace(): it is instrumented all the same
if not PLAIN and "AUTO" not in os.environ:
    tracium.trace(service_name="app")
broker.add_middleware(Results(backend=RedisBackend(url=URL)))
broker.add_middleware(GroupCallbacks(limits))
broker.add_middleware(AsyncIO())
broker.add_middleware(CurrentMessage())
broker.add_middleware(Skips())
for middleware in broker.middleware:
    if isinstance(middleware, TimeLimit):
        middleware.manager.interval = 0.02
dramatiq.set_broker(broker)

tracer = trace.get_tracer("app")
limiter = ConcurrentRateLimiter(limits, "one at a time", limit=1)


def note(name, label="work", *, last=True):
    """Tell what holds here, in a span; and leave something behind at last, which must not get anywhere."""
    with tracer.start_as_current_span(f"{label} {name}") as span:
        told = {
            "label": label,
            "tenant": None if PLAIN else tracium.get_current_tenant(),
            "trace": format(span.get_span_context().trace_id, "032x"),
            "worker": [os.getpid(), threading.get_ident()],
        }
    client.rpush(f"notes:{name}", json.dumps(told))
    if last and not PLAIN:
        tracium.set_tenant("of the task before")


def attempt():
    return CurrentMessage.get_current_message().options.get("retries", 0)


@dramatiq.actor(max_retries=0, pipe_ignore=True, store_results=True)
def work(name, *_):
    note(name)
    return name


@dramatiq.actor(max_retries=0)
def callback(_message, _outcome, name="callback"):
    # `on_success` and its like pass nothing of ours but the message.
    note(_message["args"][0] if _message else name, "callback")


@dramatiq.actor(max_retries=1, min_backoff=1, max_backoff=1)
def flaky(name):
    note(name, f"attempt {attempt()}")
    if attempt() == 0:
        raise LookupError(name)


@dramatiq.actor(max_retries=1, min_backoff=1)
def again(name):
    note(name, f"attempt {attempt()}")
    if attempt() == 0:
        raise dramatiq.errors.Retry("later", delay=1)


@dramatiq.actor(max_retries=1, min_backoff=1, max_backoff=1)
def limited(name):
    note(name, f"attempt {attempt()}")
    if attempt() == 0:
        with limiter.acquire(), limiter.acquire():
            raise AssertionError("there are two at a time")


@dramatiq.actor(max_retries=0)
def fails(name):
    note(name)
    raise LookupError(name)


@dramatiq.actor(max_retries=0, time_limit=100)
def endless(name):
    note(name, last=False)
    try:
        while True:
            time.sleep(0.005)
    finally:
        note(name, "interrupted")


@dramatiq.actor(max_retries=0)
async def coroutine(name):
    await asyncio.sleep(0)
    note(name)


@dramatiq.actor(max_retries=0, time_limit=100)
async def endless_coroutine(name):
    note(name, last=False)
    try:
        await asyncio.Event().wait()
    finally:
        note(name, "interrupted")


@dramatiq.actor(max_retries=0)
def outer(name):
    work.send(name)
    note(name, "outer")


@dramatiq.actor(max_retries=0)
def meet(name):
    """Wait until the other process has a message too."""
    note(name, last=False)
    client.sadd("met", os.getpid())
    while client.scard("met") < 2:
        time.sleep(0.01)


@dramatiq.actor(max_retries=1, min_backoff=60_000, notify_shutdown=True)
def waits(name):
    note(name)
    while True:
        time.sleep(0.01)


def send_made_earlier(name):
    with tracium.tenant("whoever it was made for"):
        message = work.message(name)
    broker.enqueue(message)


def send_group_with_callback(name):
    members = dramatiq.group([work.message(name), coroutine.message(name)])
    members.add_completion_callback(callback.message(None, None, name))
    members.run()


def send_with_result(name):
    assert work.send(name).get_result(block=True) == name


# What is sent, and how many notes it makes.
SENT = {
    "send": (work.send, 1),
    "send_with_options(delay=)": (lambda name: work.send_with_options(args=(name,), delay=1), 1),
    "enqueue(message)": (send_made_earlier, 1),
    "retry": (flaky.send, 2),
    "Retry exception": (again.send, 2),
    "rate limit exceeded": (limited.send, 2),
    "pipeline": (lambda name: (work.message(name) | coroutine.message(name) | work.message(name)).run(), 3),
    "group": (lambda name: dramatiq.group([work.message(name), work.message(name)]).run(), 2),
    "group completion callback": (send_group_with_callback, 3),
    "on_success": (lambda name: work.send_with_options(args=(name,), on_success=callback), 2),
    "on_failure": (lambda name: fails.send_with_options(args=(name,), on_failure=callback), 2),
    "on_retry_exhausted": (lambda name: fails.send_with_options(args=(name,), on_retry_exhausted="callback"), 2),
    "async actor": (coroutine.send, 1),
    "time limit": (endless.send, 2),
    "time limit of an async actor": (endless_coroutine.send, 2),
    "send in an actor": (outer.send, 2),
    "results": (send_with_result, 1),
    "max_age": (lambda name: work.send_with_options(args=(name,), delay=50, max_age=1), 1),
    "meet": (meet.send, 1),
    "shutdown": (waits.send, 1),
}


def main():
    """For each line on stdin, `{"kind", "name", "tenant"}`: send it in a request, and say that one's trace."""
    for line in sys.stdin:
        told = json.loads(line)
        with tracer.start_as_current_span(f"request {told['name']}") as span, tracium.tenant(told["tenant"]):
            SENT[told["kind"]][0](told["name"])
        sys.stdout.write(format(span.get_span_context().trace_id, "032x") + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
