"""Any OTLP collector: one that is written in Rust and knows nothing of tracium, https://github.com/streamfold/rotel."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.collector import free_port, run_app
from support.receiver import http_receiver
from support.waiting import eventually


@contextmanager
def rotel(destination, log):
    """Run it until the block ends; answers its ports for HTTP and gRPC."""
    found = find_spec("rotel")
    if found is None:
        pytest.skip("rotel has no wheel for this platform")
    http, grpc = free_port(), free_port()
    command = [Path(found.origin).with_name("rotel-agent"), "start", "--exporter", "otlp"]
    command += ["--otlp-http-endpoint", f"127.0.0.1:{http}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}"]
    command += ["--otlp-exporter-endpoint", destination, "--otlp-exporter-protocol", "http"]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            for port in (http, grpc):
                await_port(port)
            yield http, grpc
        finally:
            process.terminate()


def await_port(port):
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, f"nobody listens at {port}"
            time.sleep(0.05)
        else:
            return


def test_tracium_sends_through_it(tmp_path):
    """Spans, log records and points come out as they went in, over HTTP and gRPC, each with its tenant."""
    with http_receiver() as receiver, rotel(receiver.url, tmp_path / "log") as (http, grpc):
        run_app(f"http://127.0.0.1:{http}")
        run_app(f"http://127.0.0.1:{grpc}", "grpc")
        wanted = ["None", "None", "acme", "acme", "globex", "globex"]
        eventually(lambda: sorted(str(one.tenant) for one in receiver.named("GET /")), wanted)
        eventually(lambda: sorted(str(one.tenant) for one in receiver.logged("made")), wanted)
        eventually(lambda: sorted(str(one.tenant) for one in receiver.points_of("shop.orders")), wanted)
