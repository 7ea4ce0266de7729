"""An app that hands work to processes: `processes_app.py START_METHOD KIND`. Prints what each piece of work saw.

With `GUARDED` in the environment `trace()` stands behind the main guard, where a spawned child does not call it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor

from opentelemetry import trace

import tracium

if not os.environ.get("GUARDED"):
    tracium.trace(service_name="app")

TENANTS = ["acme", "globex", "acme", "initech"]


def work(label, queue=None):
    with trace.get_tracer("app").start_as_current_span(label) as span:
        seen = {
            "label": label,
            "tenant": tracium.get_current_tenant(),
            "trace": format(span.get_span_context().trace_id, "032x"),
            "child": multiprocessing.parent_process() is not None,
        }
    # Contained: the next piece of work on this worker knows nothing of it.
    tracium.set_tenant("of the task before")
    if queue is not None:
        queue.put(seen)
    return seen


class Subclass(multiprocessing.Process):
    """A process with a `run` of its own."""

    def __init__(self, label, queue):
        super().__init__()
        self.label, self.queue = label, queue

    def run(self):
        work(self.label, self.queue)


def run_process(context, submit):
    queue = context.SimpleQueue()

    def start(label):
        process = context.Process(target=work, args=(label, queue))
        process.start()
        seen = queue.get()
        process.join()
        assert process.exitcode == 0
        return seen

    return submit(start)


def run_subclass(context, submit):
    queue = context.SimpleQueue()

    def start(label):
        process = Subclass(label, queue)
        process.start()
        seen = queue.get()
        process.join()
        return seen

    return submit(start)


def run_executor(context, submit):
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return submit(lambda label: pool.submit(work, label).result())


def run_executor_map(context, submit):
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return submit(lambda label: next(iter(pool.map(work, [label]))))


def run_pool(context, submit):
    # Leaving the block terminates the workers: by a signal.
    with context.Pool(1) as pool:
        return submit(lambda label: pool.apply_async(work, (label,)).get())


def run_pool_map(context, submit):
    pool = context.Pool(1)
    seen = submit(lambda label: pool.map(work, [label])[0])
    pool.close()
    pool.join()
    return seen


def run_pool_imap(context, submit):
    pool = context.Pool(1, maxtasksperchild=1)
    seen = submit(lambda label: next(pool.imap_unordered(func=work, iterable=[label])))
    pool.close()
    pool.join()
    return seen


def run_pool_starmap(context, submit):
    with context.Pool(1) as pool:
        return submit(lambda label: pool.starmap(work, [(label,)])[0])


KINDS = {name.removeprefix("run_"): run for name, run in list(globals().items()) if name.startswith("run_")}


def each(hand_over):
    """Hand over a piece of work for every tenant in turn, and one for nobody after each."""
    seen = []
    for number, tenant in enumerate(TENANTS):
        with tracium.tenant(tenant), trace.get_tracer("app").start_as_current_span(f"request {number}") as span:
            expected = format(span.get_span_context().trace_id, "032x")
            seen.append(hand_over(f"work {number}") | {"expected": expected, "for": tenant})
        seen.append(hand_over(f"nobody's {number}") | {"expected": None, "for": None})
    return seen


def main():
    if os.environ.get("GUARDED"):
        tracium.trace(service_name="app")
    multiprocessing.set_start_method(sys.argv[1])
    with tracium.tenant("whoever is served while workers start"):
        seen = KINDS[sys.argv[2]](multiprocessing.get_context(sys.argv[1]), outside)
    sys.stdout.write(json.dumps(seen))


def outside(hand_over):
    with tracium.tenant(None):
        return each(hand_over)


if __name__ == "__main__":
    main()
