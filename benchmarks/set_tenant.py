"""What set_tenant, get_current_tenant and a scope cost, in µs of CPU time; OpenTelemetry's own set_baggage beside it."""

from __future__ import annotations

import statistics
import time

from opentelemetry import baggage
from opentelemetry.context import Context, attach, detach

import tracium

ROUNDS = 200
CALLS = 1_000


def scope():
    with tracium.tenant("acme"):
        pass


CASES = {
    "set_tenant": lambda: tracium.set_tenant("acme"),
    "set_tenant(None)": lambda: tracium.set_tenant(None),
    "get_current_tenant": tracium.get_current_tenant,
    "with tenant(…)": scope,
    "attach(baggage.set_baggage(…))": lambda: attach(baggage.set_baggage("tenant.id", "acme")),
}


def measured(call):
    """CPU µs of one call, in a context of its own."""
    token = attach(Context())
    begun = time.thread_time()
    for _ in range(CALLS):
        call()
    seconds = time.thread_time() - begun
    detach(token)
    return seconds / CALLS * 1e6


def main():
    rounds = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, call in CASES.items():
            rounds[name].append(measured(call))
    print(f"\nCalls ({ROUNDS} rounds of {CALLS})")
    for name, figures in rounds.items():
        print(f"  {name:34} {statistics.median(figures):7.2f} µs")


if __name__ == "__main__":
    main()
