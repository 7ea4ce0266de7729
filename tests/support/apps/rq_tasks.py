"""Jobs for RQ's workers. Each returns what it saw: its tenant, its trace and its process."""

import os
import signal
import time

from opentelemetry.context import attach, get_current, set_value
from opentelemetry.trace import format_trace_id, get_tracer
from rq import Queue, Retry, get_current_job

import tracium

if "TRACE" in os.environ:
    # As the simplest apps have it: in the tasks' module, which RQ imports when it performs the first job.
    tracium.trace()


def seen(label):
    with get_tracer("app").start_as_current_span(label) as span:
        return {
            "tenant": tracium.get_current_tenant(),
            "trace": format_trace_id(span.get_span_context().trace_id),
            "process": os.getpid(),
        }


def work(label="work", argument=None):
    return seen(label)


async def async_work():
    return seen("async")


def change(tenant):
    tracium.set_tenant(tenant)
    attach(set_value("left", "behind", get_current()))
    get_tracer("app").start_span("changed").end()


def fail():
    seen("failing")
    raise ValueError("as asked")


def flaky():
    """Fails until its last attempt, and writes its meta anew each time."""
    job = get_current_job()
    tries = job.meta.get("tries", 0) + 1
    job.meta = {"tries": tries, "own": job.meta["own"]}
    job.save_meta()
    if tries < 3:
        raise RuntimeError(f"attempt {tries}")
    return {**seen("flaky"), "meta": job.meta}


def again(times):
    """Asks for another attempt in the other way."""
    if (get_current_job().number_of_retries or 0) < times:
        return Retry(max=1)
    return seen("again")


def nest():
    job = get_current_job()
    nested = Queue(job.origin, connection=job.connection).enqueue(work, "nested")
    return nested.id


def report(job, label, seen_):
    job.connection.rpush("callbacks", repr((label, job.id, seen_["tenant"], seen_["trace"])))


def succeeded(job, connection, result):
    report(job, "success", seen("success callback"))


def failed(job, connection, kind, error, traceback):
    report(job, "failure", seen("failure callback"))


def stopped(job, connection):
    report(job, "stopped", seen("stopped callback"))


def raises(job, connection, result):
    raise LookupError("in the callback")


def be_killed():
    seen("lost")
    os.kill(os.getpid(), signal.SIGKILL)


def wait():
    job = get_current_job()
    job.connection.rpush(f"waiting:{job.id}", "now")
    time.sleep(60)


class Argument:
    """An argument of the tasks' own: their module is imported to unpickle it."""
