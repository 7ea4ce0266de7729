"""Spans per second through the real Collector with the shipped configuration into the store, and what its processors cost.

    python benchmarks/collector/throughput.py --seconds 300

Prints what was sent, what arrived and the CPU time of the Collector, with all its processors and with none.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from support.clickhouse_front import ask, clickhouse_front
from support.collector import CONFIG, Collecting
from support.otlp_requests import model_call, request, span

SPANS, SENDERS = 500, 2


def body(number):
    """A request of 500 spans of 10 tenants: three requests for each model call."""
    made = []
    for one in range(SPANS):
        tenant = f"tenant-{(number + one) % 10}"
        if one % 4:
            attributes = {"http.request.method": "GET", "url.path": "/orders/17", "http.response.status_code": 200}
            made.append(span(tenant, attributes=attributes))
        else:
            made.append(model_call(tenant, tokens=(1200, 300)))
    return request(*made)


def bare():
    """The same listeners and exporter with nothing between."""
    config = yaml.safe_load(CONFIG.read_text())
    pipelines = {"traces": {"receivers": ["otlp/services"], "exporters": ["clickhouse"]}}
    config["service"]["pipelines"] = pipelines
    return yaml.safe_dump(config)


def measure(name, text, seconds):
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "config.yaml").write_text(text)
        (place / "store").mkdir()
        with (
            clickhouse_front(place / "store") as front,
            Collecting(place, config=place / "config.yaml", CLICKHOUSE=f"{front}?compress=none") as collector,
        ):
            started = time.monotonic()
            accepted = send_for(collector, seconds)
            stored = wait_for(front, accepted)
            took = time.monotonic() - started
            process = psutil.Process(collector.process.pid)
            cpu, memory = sum(process.cpu_times()[:2]), process.memory_info().rss / 2**20
            (size,) = ask(
                front,
                "SELECT sum(bytes_on_disk) / sum(rows) AS n FROM system.parts WHERE active AND table = 'otel_traces'",
            )
    print(
        f"{name:8} accepted {accepted:,}, stored {stored:,}, {stored / took:,.0f} spans/s; Collector: "
        f"{cpu / max(1, stored) * 1e6:.1f} us CPU a span, {memory:.0f} MB; {size['n']:.0f} bytes a span on disk"
    )


def send_for(collector, seconds):
    """Send as much as is taken, from some threads; answer how many spans were accepted."""
    accepted = [0] * SENDERS
    until = time.monotonic() + seconds

    def send(sender):
        message = body(sender)
        spans = message.resource_spans[0].scope_spans[0].spans
        while time.monotonic() < until:
            for one in spans:
                # What is sent twice would be stored once.
                one.trace_id, one.span_id = os.urandom(16), os.urandom(8)
            accepted[sender] += SPANS * (collector.send(collector.services, message) == 200)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(accepted)


def wait_for(front, accepted, seconds=30):
    """Wait until all of it is counted; answer how many are."""
    until = time.monotonic() + seconds
    while True:
        (found,) = ask(front, "SELECT sum(Spans) AS n FROM tracium_requests_15m")
        if int(found["n"]) >= accepted or time.monotonic() > until:
            return int(found["n"])
        time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--bare-seconds", type=float, default=20)
    arguments = parser.parse_args()
    measure("shipped", CONFIG.read_text(), arguments.seconds)
    measure("bare", bare(), arguments.bare_seconds)


if __name__ == "__main__":
    main()
