"""The real OpenTelemetry Collector with the shipped configuration, in a process of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "otel-collector-config.yaml"
APP = """
import logging
import tracium
from opentelemetry import metrics, trace

tracium.trace(logs=True, metrics=True, tenant_metrics=("gen_ai.*", "shop.orders"))
orders = metrics.get_meter("shop").create_counter("shop.orders")
for tenant in ("acme", "globex", None):
    with tracium.tenant(tenant), trace.get_tracer("shop").start_as_current_span("GET /", kind=trace.SpanKind.SERVER):
        logging.getLogger("shop").warning("made")
        orders.add(2)
tracium.shutdown()
"""
_PORTS = ("SERVICES_GRPC", "SERVICES_HTTP", "TENANTS_GRPC", "TENANTS_HTTP", "HEALTH", "METRICS_PORT")


def branches(places):
    """The variables that switch all destinations on."""
    return {
        "BACKEND": places["backend"].url,
        "BACKEND_API_KEY": "key-of-the-backend",
        "BACKEND_EXPORTERS": "[otlp_http/backend]",
        "TEMPO": places["tempo"].url,
        "TEMPO_EXPORTERS": "[otlp_http/tempo]",
        "EU": places["eu"].url,
        "EU_API_KEY": "key-of-the-eu",
        "EU_TENANTS": "initech,umbrella",
    }


def run_app(endpoint, protocol="http/protobuf", app=APP, **variables):
    """Run an app that sends with tracium, as users configure it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TRACIUM_"))}
    environ |= {"TRACIUM_ENDPOINT": endpoint, "TRACIUM_PROTOCOL": protocol, **variables}
    done = subprocess.run([sys.executable, "-c", app], env=environ, timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


@cache
def binary():
    """The Collector, built if need be; where it cannot be, the test is skipped, and fails in CI."""
    built = None
    if shutil.which("go"):
        built = subprocess.run([ROOT / ".ci/collector/build"], capture_output=True, text=True, timeout=1800)
        if built.returncode == 0:
            return built.stdout.strip()
    reason = built.stderr[-2000:] if built else "The Collector is built with Go, which is not installed."
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
    raise AssertionError


def with_authentication():
    """The configuration with its switch for authentication on."""
    return "\n".join(line.removeprefix("#auth") for line in CONFIG.read_text().splitlines())


def validate(text, path, **variables):
    """What `otelcol validate` says of a configuration."""
    path.write_text(text)
    return subprocess.run(
        [binary(), "validate", "--config", path], capture_output=True, text=True, timeout=60, env=os.environ | variables
    )


class Collecting:
    """Started by `with`; its queues outlive it in `directory`.

    Args:
        directory: Of the queues and the log.
        config: Another configuration than the shipped one.
        variables: What the configuration reads from the environment.
    """

    def __init__(self, directory, *, config=CONFIG, **variables):
        self.directory = directory
        self.config = config
        self.log = directory / "collector.log"
        ports = {name: free_port() for name in _PORTS}
        addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items() if name != "METRICS_PORT"}
        self.variables = {
            **addresses,
            "METRICS_PORT": str(ports["METRICS_PORT"]),
            "QUEUES": str(directory / "queues"),
            "SAMPLING_WAIT": "1s",
            **variables,
        }
        self.services, self.services_grpc, self.tenants, self.tenants_grpc = (
            f"http://{addresses[name]}" for name in ("SERVICES_HTTP", "SERVICES_GRPC", "TENANTS_HTTP", "TENANTS_GRPC")
        )
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self):
        """Start it, and wait until it is well."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TRACIUM_"))}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [binary(), "--config", self.config], stdout=log, stderr=log, env=environ | self.variables
            )
        deadline = time.monotonic() + 30
        while not self._well():
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def stop(self):
        """Ask it to end, and wait."""
        self.process.terminate()
        self.process.wait(timeout=60)

    def kill(self):
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def metric(self, name):
        """The sum of one of its own metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.variables['METRICS_PORT']}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition("{")[0] == name)

    def send(self, url, body, signal="traces", **headers):
        """POST an OTLP message; answer the status."""
        request = urllib.request.Request(
            f"{url}/v1/{signal}",
            body.SerializeToString(),
            {
                "Content-Type": "application/x-protobuf",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def _well(self):
        try:
            with urllib.request.urlopen(f"http://{self.variables['HEALTH']}/", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False


def free_port():
    """A port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
