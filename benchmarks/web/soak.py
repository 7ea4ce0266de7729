"""Many requests of many tenants against real servers: does each span carry the tenant of its request?

Exit code 1 when one does not, or when spans are missing or double. Spans that ended and did not arrive are told apart.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from typing import NamedTuple

from check import check
from counts import ended_in
from receiver import Receiver
from server import GUNICORN, UVICORN, Server
from traffic import TENANTS, mixed, send


class Run(NamedTuple):
    """An app on a server, and how many of 100 requests it gets."""

    name: str
    app: str
    runner: tuple
    share: int
    middleware: str = "by hand"
    prefix: str = ""
    websockets: bool = False


RUNS = (
    Run("FastAPI, uvicorn", "fastapi_app:app", UVICORN, 25, websockets=True),
    Run("FastAPI, uvicorn", "fastapi_app:app", UVICORN, 10, "ready-made", websockets=True),
    Run("Starlette, uvicorn", "starlette_app:app", UVICORN, 7, "ready-made", websockets=True),
    Run("Flask, gunicorn", "flask_app:app", GUNICORN, 20),
    Run("Flask, gunicorn", "flask_app:app", GUNICORN, 8, "ready-made"),
    Run("Django, gunicorn", "django_app:app", GUNICORN, 15),
    Run("Django, gunicorn", "django_app:app", GUNICORN, 5, "ready-made"),
    Run("Django, uvicorn", "django_app:asgi_app", UVICORN, 5),
    Run("Django async, uvicorn", "django_app:asgi_app", UVICORN, 5, "ready-made", prefix="/async"),
)


def soak(run, receiver, count, first):
    """Serve `count` requests; print what came of it and give what is wrong."""
    requests = list(mixed(count, first, websockets=run.websockets))
    sender = str(first)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as counts:
        server = Server(run.app, run.runner, f"{receiver.url}/{sender}", COUNTS=counts, MIDDLEWARE=run.middleware)
        with server:
            # gthread does not look for a request that it has read together with the one before.
            pipelined = 3 if run.runner is UVICORN else 1
            unanswered = asyncio.run(send(requests, server.port, prefix=run.prefix, pipelined=pipelined))
        seconds = time.monotonic() - begun
        receiver.settled(sender, 0.5)
        spans = receiver.take(sender)
        dropped = ended_in(counts) - len(spans)
    wrong = check(requests, spans, early=run.middleware == "by hand")
    wrong += Counter({"wrong answers": len(unanswered), "spans dropped on the way": dropped})
    without = sum(request.tenant is None for request in requests)
    print(
        f"{run.name:22} {run.middleware:10} {count:8,} {without:8,} {len(spans):8,} {seconds:6.0f} s   "
        f"{', '.join(f'{count} {what}' for what, count in wrong.items() if count) or 'right'}",
        flush=True,
    )
    return wrong


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--requests", type=int, default=100_000, help="how many in all (default: 100000)")
    count = options.parse_args().requests
    print(f"\nSoak ({count:,} requests of {len(TENANTS)} tenants)")
    print(
        f"{'App and server':22} {'tenant':10} {'requests':>8} {'w/o ten.':>8} {'spans':>8} {'time':>8}   spans and answers"
    )
    wrong, first, begun = Counter(), 0, time.monotonic()
    with Receiver() as receiver:
        for run in RUNS:
            share = max(1, count * run.share // 100)
            wrong += soak(run, receiver, share, first)
            first += share
    print(f"{first:,} requests in {time.monotonic() - begun:.0f} s; {wrong.total()} findings")
    sys.exit(1 if wrong.total() else 0)


if __name__ == "__main__":
    main()
