"""What the border costs, in µs of CPU time: a tenant out of one service and into the next one, with its proof.

OpenTelemetry's own composite propagator carries the same trace and baggage beside it, without any proof.
"""

from __future__ import annotations

import statistics
import time

from opentelemetry import trace
from opentelemetry.baggage import set_baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, attach, detach
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import tracium
from tracium.boundary.outgoing import settle
from tracium.boundary.propagation import install
from tracium.boundary.signature import Keyring
from tracium.boundary.trust import Trust, install_trust

ROUNDS = 300
CALLS = 300
TENANT = "550e8400-e29b-41d4-a716-446655440000"
SPAN = trace.SpanContext(0xA11CE << 100 | 0xB0B, 0xC0FFEE, is_remote=False, trace_flags=trace.TraceFlags(1))
PLAIN = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])


def _in_span():
    return trace.set_span_in_context(trace.NonRecordingSpan(SPAN), Context())


def ours():
    """Inject and settle as a client does, extract as a server does."""
    global_ = get_global_textmap()
    headers = {}
    global_.inject(headers)
    settle(headers, "orders.internal")
    return global_.extract(headers, Context())


def theirs():
    """The tenant as plain baggage, believed from anybody."""
    headers = {}
    PLAIN.inject(headers)
    return PLAIN.extract(headers, Context())


def without_proof():
    """As ours, where there is no key: the tenant goes out, and is not believed."""
    headers = {}
    get_global_textmap().inject(headers)
    settle(headers, "orders.internal")
    return headers


def with_tenant():
    attach(_in_span())
    tracium.set_tenant(TENANT)


def with_baggage():
    attach(set_baggage("tenant.id", TENANT, _in_span()))


CASES = {
    "inject + settle + extract, signed": (with_tenant, ours),
    "  of that: inject + settle": (with_tenant, without_proof),
    "OpenTelemetry: inject + extract": (with_baggage, theirs),
}


def measured(prepare, call):
    """CPU µs of one call, in a context of its own."""
    token = attach(Context())
    prepare()
    begun = time.thread_time()
    for _ in range(CALLS):
        call()
    seconds = time.thread_time() - begun
    detach(token)
    return seconds / CALLS * 1e6


def main():
    set_global_textmap(PLAIN)
    install()
    install_trust(Trust(Keyring.derived_from("sk_live_7Qm2vX9rTz4LbN8w")))
    token = attach(Context())
    with_tenant()
    extracted = ours()
    assert tracium.get_current_tenant() == TENANT
    detach(token)
    attach(extracted)
    assert tracium.get_current_tenant() == TENANT, "the proof did not hold"
    rounds = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, case in CASES.items():
            rounds[name].append(measured(*case))
    print(f"\nThe border ({ROUNDS} rounds of {CALLS}, interleaved)")
    for name, figures in rounds.items():
        print(f"  {name:36} {statistics.median(figures):7.2f} µs")


if __name__ == "__main__":
    main()
