"""Many tasks of many tenants through a real broker and real workers: does each span carry the tenant of its task?

Each task makes three spans: of its sending, of its processing, and of its work. Exit code 1 when one of them has a wrong
tenant or none, or when spans are missing or double.
"""

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "web"), str(HERE.parents[1] / "tests")]

from receiver import Receiver  # noqa: E402 - beside this folder
from support.brokers import running_redis  # noqa: E402
from work import tenant_of  # noqa: E402

BIN = Path(sys.executable).parent
QUEUES = {"celery": "Celery, prefork", "rq": "RQ, fork", "dramatiq": "Dramatiq", "taskiq": "TaskIQ", "arq": "arq"}


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("queues", nargs="*", default=list(QUEUES)[:-1], help="which (default: all but arq)")
    options.add_argument("--tasks", type=int, default=10_000, help="how many through each (default: 10000)")
    options.add_argument("--send", metavar="QUEUE", help="send the tasks, in a process of its own")
    given = options.parse_args()
    if given.send:
        importlib.import_module(f"{given.send}_tasks").send(range(given.tasks))
        return
    print(f"\nTasks of 100 tenants\n{'Queue':18} {'tasks':>8} {'spans':>8} {'time':>8}   spans")
    with tempfile.TemporaryDirectory() as folder, running_redis(folder) as redis_url, Receiver() as receiver:
        wrong = sum((soak(queue, given.tasks, redis_url, receiver) for queue in given.queues), Counter())
    sys.exit(1 if wrong.total() else 0)


def soak(queue, tasks, redis_url, receiver):
    """Send `tasks` tasks through one queue; print what came of it and give what is wrong."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TRACIUM_"))} | {
        "REDIS_URL": redis_url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"{receiver.url}/{queue}",
        "OTEL_BSP_MAX_QUEUE_SIZE": "100000",
        "TRACIUM_FLUSH_TIMEOUT": "60",
        "PYTHONPATH": str(HERE),
    }
    begun = time.monotonic()
    sender = [sys.executable, str(HERE / "soak.py"), "--tasks", str(tasks), "--send", queue]
    subprocess.run(sender, env=environment, cwd=HERE, check=True)
    with tempfile.TemporaryFile("w+") as log:
        workers = [
            subprocess.Popen(command, env=environment, cwd=HERE, stdout=log, stderr=log)
            for command in _commands(queue, environment)
        ]
        try:
            wait_for(receiver, queue, 3 * tasks)
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait(90)
    seconds = time.monotonic() - begun
    receiver.settled(queue)
    spans = receiver.take(queue)
    wrong = check(spans, tasks)
    print(
        f"{QUEUES[queue]:18} {tasks:8,} {len(spans):8,} {seconds:6.0f} s   "
        f"{', '.join(f'{count} {what}' for what, count in wrong.items() if count) or 'right'}",
        flush=True,
    )
    return wrong


def _commands(queue, environment):
    before = dict(os.environ)
    os.environ |= {"REDIS_URL": environment["REDIS_URL"], "OTEL_SDK_DISABLED": "true"}
    try:
        return importlib.import_module(f"{queue}_tasks").worker(BIN)
    finally:
        os.environ.clear()
        os.environ |= before


def wait_for(receiver, queue, count):
    """Until so many spans have come, or none for some time."""
    seen, since = 0, time.monotonic()
    while seen < count and time.monotonic() - since < 20:
        time.sleep(0.2)
        now = receiver.count(queue)
        if now != seen:
            seen, since = now, time.monotonic()


def check(spans, tasks):
    """What is wrong: every trace is one task's, and has three spans of its tenant."""
    wrong = Counter()
    works = {span.trace: span.request for span in spans if span.name == "work"}
    wrong["tasks without their span"] = tasks - len(set(works.values()))
    for span in spans:
        if span.trace not in works:
            wrong["spans outside of their task's trace"] += 1
        elif span.tenant != tenant_of(works[span.trace]):
            wrong["spans without a tenant" if span.tenant is None else "spans with a wrong tenant"] += 1
    wrong["spans missing or double"] = abs(3 * tasks - len(spans))
    return wrong


if __name__ == "__main__":
    main()
