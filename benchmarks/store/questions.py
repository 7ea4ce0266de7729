"""How fast questions are answered over HTTP, idle and while spans arrive at half of the rate that can be taken; what a span takes on disk.

    python benchmarks/store/questions.py [--spans 10000000] [--data DIR] [--rate SPANS_PER_SECOND]

A directory that has spans already is not filled again.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import generator
from ingest import DAY_NS, Backend, send

PER_REQUEST = 500
COMPARED = (0, 1, 2, 5, 20, 100)
# Rounds of all questions; the first one warms and is not counted.
ROUNDS = 15


def fill(backend: Backend, spans: int) -> float:
    """Send spans of the last 24 hours; gives how many were taken a second, the time to make them included."""
    now = time.time_ns()
    started = time.perf_counter()
    send(backend.url, generator.Generator(1, now - DAY_NS, now).requests(spans, PER_REQUEST), connections=50)
    rate = spans / (time.perf_counter() - started)
    print(f"{spans:,} spans at {rate:,.0f} a second, their making included", flush=True)
    return rate


def bytes_a_span(data: Path) -> tuple[int, float]:
    """How many spans a directory that nobody has open holds, and what each takes on disk when all is merged."""
    from tracium.server.location import Directory
    from tracium.server.scope import TenantScope
    from tracium.server.store import Store

    with Store(Directory(data)) as store:
        for table in ("otel_traces", "tracium_requests_15m", "tracium_calls_15m"):
            store.maintenance.run(f"OPTIMIZE TABLE {table} FINAL")
        (row,) = store.rows(
            TenantScope.all(),
            "SELECT sumIf(rows, table = 'otel_traces') AS spans, sum(bytes_on_disk) AS bytes FROM system.parts "
            "WHERE active AND database = currentDatabase()",
        )
    return row["spans"], row["bytes"] / max(row["spans"], 1)


def without_content(spans: int) -> float:
    """The same of a small store of spans that say nothing of what was said to models."""
    content, generator.CONTENT_BYTES = generator.CONTENT_BYTES, 0
    try:
        with tempfile.TemporaryDirectory() as scratch:
            backend = Backend(Path(scratch))
            try:
                fill(backend, spans)
            finally:
                backend.stop()
            return bytes_a_span(Path(scratch))[1]
    finally:
        generator.CONTENT_BYTES = content


def questions(backend: Backend) -> dict[str, str]:
    """By name, what is asked: the API, and the pages that show the same."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    start = end - timedelta(hours=24)
    day = {"from": start.isoformat(), "to": end.isoformat()}
    tenant = generator.tenant_name(5)
    listed = backend.get(f"/api/v1/traces?{urlencode({**day, 'tenant': tenant})}")
    newest = listed["rows"][0]
    some = [("tenant", generator.tenant_name(number)) for number in COMPARED]
    asked = {
        "tenants": f"tenants?{urlencode(day)}",
        "compare six tenants": f"compare?{urlencode([*day.items(), *some])}",
        "overview": f"overview?{urlencode(day)}",
        "overview of a tenant": f"overview?{urlencode({**day, 'tenant': tenant})}",
        "models": f"models?{urlencode(day)}",
        "usage by hour": f"tenants/{tenant}/usage?{urlencode({**day, 'bucket': 'hour'})}",
        "traces of a tenant": f"traces?{urlencode({**day, 'tenant': tenant})}",
        "traces": f"traces?{urlencode(day)}",
        "traces with a text": f"traces?{urlencode({**day, 'tenant': tenant, 'text': 'in no trace'})}",
        "one trace": f"traces/{newest['trace_id']}",
        "one session": f"sessions/{newest['session']}?{urlencode(day)}",
        "errors": f"errors?{urlencode(day)}",
    }
    return {
        **{name: f"/api/v1/{path}" for name, path in asked.items()},
        **{f"page: {name}": f"/{name}?{urlencode(day)}" for name in ("overview", "tenants", "traces", "errors")},
    }


def medians(backend: Backend, asked: dict[str, str]) -> dict[str, tuple[float, float]]:
    """The median of each question's milliseconds over one connection, all of them in turn, and the mean of the server's CPU time.

    Where others use the machine, too, only the latter says something.
    """
    taken: dict[str, list[float]] = {name: [] for name in asked}
    used = dict.fromkeys(asked, 0.0)
    connection = HTTPConnection(urlsplit(backend.url).netloc, timeout=120)
    for round_ in range(ROUNDS + 1):
        for name, path in asked.items():
            before, started = backend.cpu_seconds(), time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if round_:
                taken[name].append((time.perf_counter() - started) * 1000)
                used[name] += (backend.cpu_seconds() - before) * 1000
            if answer.status != 200:
                raise SystemExit(f"{path} was answered with {answer.status}: {body[:300]!r}")
    connection.close()
    return {name: (statistics.median(values), used[name] / ROUNDS) for name, values in taken.items()}


class Stream:
    """Spans that arrive at a rate while the block runs."""

    def __init__(self, backend: Backend, rate: float) -> None:
        self._backend, self._rate = backend, rate
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def _paced(self):
        now, started = time.time_ns(), time.perf_counter()
        # An hour's worth: more than the questions take.
        bodies = generator.Generator(2, now, now + DAY_NS // 24).requests(int(self._rate * 3600), PER_REQUEST)
        for number, body in enumerate(bodies):
            due = started + number * PER_REQUEST / self._rate
            if self._is_over.wait(max(due - time.perf_counter(), 0)):
                return
            yield body

    def _send(self) -> None:
        send(self._backend.url, self._paced(), connections=8)

    def __enter__(self) -> None:
        self._thread.start()
        time.sleep(5)

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()


def measure(data: Path, spans: int, rate: float | None) -> None:
    backend = Backend(data)
    try:
        since = urlencode({"from": (datetime.now(UTC) - timedelta(days=7)).isoformat()})
        is_filled = bool(backend.get(f"/api/v1/traces?{since}&limit=1")["rows"])
        taken = None if is_filled else fill(backend, spans)
    finally:
        backend.stop()
    count, size = bytes_a_span(data)
    print(f"{count:,} spans of {size:.0f} bytes each on disk, roll-ups included", flush=True)
    if not is_filled:
        print(f"{without_content(min(spans, 500_000)):.0f} bytes each without content", flush=True)
    backend = Backend(data)
    try:
        time.sleep(10)
        resident = backend.usage.memory_info().rss / 2**20
        print(f"ready after {backend.seconds_to_start:.2f} s, idle {resident:.0f} MB resident", flush=True)
        asked = questions(backend)
        idle = medians(backend, asked)
        half = (rate or taken or 10_000) / 2
        with Stream(backend, half):
            busy = medians(backend, asked)
    finally:
        backend.stop()
    print(f"{'milliseconds (warm median)':28}{'idle':>8}{'of CPU':>8}{f'at {half:,.0f} spans/s':>22}{'ratio':>8}")
    for name in asked:
        (alone, cpu), (beside, _) = idle[name], busy[name]
        print(f"{name:28}{alone:>8.0f}{cpu:>8.0f}{beside:>22.0f}{beside / alone:>8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=10_000_000)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rate", type=float, help="spans a second that can be taken; measured while filling")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        measure(arguments.data or Path(scratch), arguments.spans, arguments.rate)


if __name__ == "__main__":
    main()
