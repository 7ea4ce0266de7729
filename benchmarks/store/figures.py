"""The figures that the local backend is held to, one after the other, on a store of generated spans.

    python benchmarks/store/figures.py [--spans 10000000]

How fast it takes them and what one costs; how fast it answers when idle and while it takes half as many; what a span
needs on disk after merges; how long a start takes with all of it, and how much memory when nothing happens.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

from generator import Generator, tenant_name
from ingest import Backend, measure, send

from tracium.server.location import Directory
from tracium.server.scope import TenantScope
from tracium.server.store import Store

_ROUNDS = 9


def ask(backend: Backend, paths) -> dict[str, float]:
    """The median time of each question in milliseconds, warm."""
    medians = {}
    for name, path in paths.items():
        backend.get(path)
        times = []
        for _ in range(_ROUNDS):
            started = time.perf_counter()
            backend.get(path)
            times.append((time.perf_counter() - started) * 1e3)
        medians[name] = statistics.median(times)
    return medians


def questions(backend: Backend):
    """The questions of the pages."""
    tenant = quote(tenant_name(3))
    trace = backend.get(f"/api/v1/traces?from=2d&tenant={tenant}")
    rows = next(value for value in trace.values() if isinstance(value, list) and value)
    trace_id = rows[0].get("trace_id") or rows[0].get("id")
    six = "&".join(f"tenant={tenant_name(number)}" for number in range(6))
    return {
        "tenants": "/api/v1/tenants?from=2d",
        "compare six tenants": f"/api/v1/compare?from=2d&{six}",
        "traces of a tenant": f"/api/v1/traces?from=2d&tenant={tenant}",
        "one trace": f"/api/v1/traces/{trace_id}",
    }


def while_sending(backend: Backend, paths, rate: float) -> dict[str, float]:
    """The same while `rate` spans a second come in."""
    now = time.time_ns()
    bodies = list(itertools.islice(Generator(7, now - 600 * 10**9, now).requests(400_000, 500), 800))
    done = threading.Event()

    def paced():
        began = time.perf_counter()
        for number, body in enumerate(itertools.cycle(bodies)):
            if done.is_set():
                return
            time.sleep(max(0.0, began + number * 500 / rate - time.perf_counter()))
            # A request that is repeated is not stored again: each is made another one.
            yield body + b"\x0a\x00" * (number // len(bodies))

    sender = threading.Thread(target=send, args=(backend.url, paced(), 32))
    sender.start()
    try:
        return ask(backend, paths)
    finally:
        done.set()
        sender.join()


def on_disk(data: Path) -> float:
    """Bytes a span in `otel_traces` when all its parts are merged, content included."""
    with Store(Directory(data)) as store:
        store.maintenance.run("OPTIMIZE TABLE otel_traces FINAL")
        sql = "SELECT sum(bytes_on_disk) / sum(rows) AS n FROM system.parts WHERE active AND table = 'otel_traces'"
        return store.rows(TenantScope.all(), sql)[0]["n"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=10_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch)
        backend = Backend(data)
        try:
            rate = measure(backend, arguments.spans, 500, 100)
            measure(backend, min(arguments.spans, 100_000), 20, 50, seed=2)
            paths = questions(backend)
            idle, busy = ask(backend, paths), while_sending(backend, paths, rate / 2)
            for name in paths:
                print(f"{name}: {idle[name]:.0f} ms, {busy[name]:.0f} ms while spans come in at half rate")
        finally:
            backend.stop()
        print(f"{on_disk(data):.0f} bytes a span on disk after merges, content included")
        backend = Backend(data)
        time.sleep(10)
        print(f"ready after {backend.seconds_to_start:.2f} s, resident {backend.resident_mb():.0f} MB when idle")
        backend.stop()


if __name__ == "__main__":
    main()
