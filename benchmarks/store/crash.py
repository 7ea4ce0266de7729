"""Kill `tracium serve` at random moments under load, send again what was not acknowledged, and count everything.

    python benchmarks/store/crash.py [--rounds 50]

Nothing that was acknowledged may be missing, and nothing may be there twice: in the spans and in the roll-ups.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from generator import Generator
from ingest import DAY_NS, Backend
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

# In turn: few, whose requests make one group, and many, whose requests make groups that are written side by side.
_CONNECTIONS = (8, 100)
_PER_REQUEST = 500


class Sender:
    """Clients that send one request after the other, keep what was not acknowledged, and send it again first."""

    def __init__(self, bodies) -> None:
        self._bodies = bodies
        self._lock = threading.Lock()
        self._again: list[bytes] = []
        self.acknowledged: list[bytes] = []
        self.repeated = 0

    def run(self, url: str, connections: int) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._client, args=(url,)) for _ in range(connections)]
        for thread in threads:
            thread.start()
        return threads

    def finish(self, url: str) -> None:
        """Send what is left, and nothing new."""
        while self._again:
            body = self._again.pop()
            self.repeated += 1
            if not self._send(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60), body):
                raise SystemExit("a request was refused with the server up")

    def _client(self, url: str) -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        while True:
            with self._lock:
                if self._again:
                    self.repeated += 1
                    body = self._again.pop()
                else:
                    body = next(self._bodies)
            try:
                taken = self._send(connection, body)
            except (OSError, http.client.HTTPException):
                with self._lock:
                    self._again.append(body)
                return
            if not taken:
                with self._lock:
                    self._again.append(body)
                time.sleep(0.2)

    def _send(self, connection, body: bytes) -> bool:
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            with self._lock:
                self.acknowledged.append(body)
        return answer.status == 200


def expected(bodies: list[bytes]) -> dict[str, int]:
    """What the store must hold of these requests."""
    spans = calls = tokens = 0
    ids = set()
    for body in bodies:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    spans += 1
                    ids.add(span.span_id)
                    values = {one.key: one.value for one in span.attributes}
                    if values.get("gen_ai.operation.name") and values["gen_ai.operation.name"].string_value in {
                        "chat",
                        "embeddings",
                    }:
                        calls += 1
                        tokens += values["gen_ai.usage.input_tokens"].int_value
    return {"spans": spans, "distinct": len(ids), "rolled_up": spans, "calls": calls, "tokens": tokens}


_COUNT = """
import json, os, sys
from pathlib import Path
from tracium.server.location import Directory
from tracium.server.scope import TenantScope
from tracium.server.store import Store

os.chdir(sys.argv[1])
with Store(Directory(Path(sys.argv[1]))) as store:
    def one(sql):
        return store.rows(TenantScope.all(), sql)[0]
    print(json.dumps(
        one("SELECT count() AS spans, uniqExact(SpanId) AS distinct FROM otel_traces")
        | one("SELECT sum(Spans) AS rolled_up FROM tracium_requests_15m")
        | one("SELECT sum(Calls) AS calls, sum(InputTokens) AS tokens FROM tracium_calls_15m")
    ))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    source = random.Random(arguments.seed)
    now = time.time_ns()
    sender = Sender(Generator(arguments.seed, now - DAY_NS, now).requests(10**9, _PER_REQUEST))
    with tempfile.TemporaryDirectory() as data:
        for number in range(arguments.rounds):
            backend = Backend(Path(data))
            threads = sender.run(backend.url, _CONNECTIONS[number % len(_CONNECTIONS)])
            time.sleep(source.uniform(0.2, 3.0))
            backend.process.send_signal(signal.SIGKILL)
            backend.process.wait()
            for thread in threads:
                thread.join()
            print(
                f"round {number + 1}: {len(sender.acknowledged)} requests acknowledged, {sender.repeated} sent again",
                flush=True,
            )
        backend = Backend(Path(data))
        sender.finish(backend.url)
        backend.stop()
        wanted = expected(sender.acknowledged)
        found = json.loads(
            subprocess.run([sys.executable, "-c", _COUNT, data], check=True, capture_output=True, text=True).stdout
        )
    found = {key: int(value) for key, value in found.items()}
    print(f"acknowledged: {wanted}\nstored:       {found}")
    if found != wanted:
        raise SystemExit("LOST OR DOUBLED")
    print(f"{arguments.rounds} kills: nothing lost, nothing twice")


if __name__ == "__main__":
    main()
