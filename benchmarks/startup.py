"""What import and `trace()` cost, as a ratio to an SDK that is wired by hand: CPU seconds of whole processes."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys

ROUNDS = 15

BY_HAND = """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.threading import ThreadingInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "app"}), shutdown_on_exit=False)
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
ThreadingInstrumentor().instrument()
"""

CASES = {
    "an empty process": "pass",
    "import opentelemetry.trace": "import opentelemetry.trace",
    "import tracium": "import tracium",
    "the SDK, wired by hand": BY_HAND,
    "import tracium; tracium.trace()": "import tracium; tracium.trace()",
}


def cpu_seconds(code):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TRACIUM_"))}
    subprocess.run([sys.executable, "-c", f"{code}\nimport os; os._exit(0)"], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    for code in CASES.values():
        cpu_seconds(code)
    rounds = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, code in CASES.items():
            rounds[name].append(cpu_seconds(code))
    by_hand = rounds["the SDK, wired by hand"]
    print(f"\nProcesses ({ROUNDS} rounds, CPU time of each until it has started)")
    for name, seconds in rounds.items():
        ratio = statistics.median(mine / base for mine, base in zip(seconds, by_hand, strict=True))
        print(f"  {name:34} {statistics.median(seconds) * 1e3:7.0f} ms   {ratio:5.2f}")


if __name__ == "__main__":
    main()
