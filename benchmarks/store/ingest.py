"""How many spans a second `tracium serve` takes over HTTP, durably, and what one costs it in CPU time.

python benchmarks/store/ingest.py [--spans 1000000] [--per-request 500] [--connections 8] [--keep DIR]
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from generator import Generator

DAY_NS = 86_400 * 10**9
# Spans that are generated before the clock starts.
_CHUNK = 200_000


class Backend:
    """`tracium serve` in a process of its own."""

    def __init__(self, data: Path, *options: str) -> None:
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tracium", "serve", "--data", str(data), "--port", "0", *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        self.seconds_to_start = time.perf_counter() - started
        self.url = next(word.rstrip(",") for word in line.split() if word.startswith("http://"))
        self.usage = psutil.Process(self.process.pid)

    def cpu_seconds(self) -> float:
        times = self.usage.cpu_times()
        return times.user + times.system

    def resident_mb(self) -> float:
        return self.usage.memory_info().rss / 2**20

    def get(self, path: str):
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=120)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{path} was answered with {answer.status}: {body[:500]!r}")
        return json.loads(body)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def send(url: str, bodies, connections: int) -> tuple[int, int]:
    """Send each body and wait for its answer; gives how many were taken and how often one was refused for a while."""
    lock, counts = threading.Lock(), {"taken": 0, "refused": 0}
    rest = iter(bodies)

    def client() -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
        while True:
            with lock:
                body = next(rest, None)
            if body is None:
                return
            while True:
                try:
                    connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
                    answer = connection.getresponse()
                    answer.read()
                except (BrokenPipeError, ConnectionResetError):
                    # It was idle for too long; what is sent again is stored once.
                    connection.close()
                    continue
                if answer.status == 200:
                    break
                if answer.status not in {429, 503}:
                    raise SystemExit(f"answered with {answer.status}")
                with lock:
                    counts["refused"] += 1
                time.sleep(float(answer.headers.get("Retry-After", 1)))
            with lock:
                counts["taken"] += 1

    threads = [threading.Thread(target=client) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts["taken"], counts["refused"]


def measure(backend: Backend, spans: int, per_request: int, connections: int, seed: int = 1) -> float:
    """Send in chunks that are generated before the clock starts, and print what it took; answer the spans a second."""
    now = time.time_ns()
    source = Generator(seed, now - DAY_NS, now).requests(spans, per_request)
    wall = cpu = 0.0
    sent = 0
    while bodies := list(itertools.islice(source, _CHUNK // per_request)):
        before, started = backend.cpu_seconds(), time.perf_counter()
        taken, refused = send(backend.url, bodies, connections)
        wall += time.perf_counter() - started
        cpu += backend.cpu_seconds() - before
        sent += taken * per_request
        print(
            f"{sent:>10,} spans of {per_request} a request over {connections} connections: {sent / wall:,.0f} spans/s, "
            f"{cpu / sent * 1e6:.1f} us CPU a span, {refused} refused for a while",
            flush=True,
        )
    print(f"resident {backend.resident_mb():.0f} MB")
    return sent / wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--per-request", type=int, default=500)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        backend = Backend(arguments.data or Path(scratch))
        print(f"ready after {backend.seconds_to_start:.2f} s, resident {backend.resident_mb():.0f} MB")
        try:
            measure(backend, arguments.spans, arguments.per_request, arguments.connections)
        finally:
            backend.stop()


if __name__ == "__main__":
    main()
