"""Hostile headers at the border: none gets a tenant in without its proof, none raises, and time grows with length only.

Run: python benchmarks/border/fuzz.py --inputs 1000000 [--seed 1]
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections import defaultdict

from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, attach, detach
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import tracium
from tracium.boundary.member import add_tenant
from tracium.boundary.propagation import TenantPropagator
from tracium.boundary.signature import Keyring
from tracium.boundary.trust import Trust, install_trust

TENANT, TRACE = "acme", 0x0AF7651916CD43DD8448EB211C80319C
RING, OTHER = Keyring((b"a key of at least sixteen bytes",)), Keyring((b"another key of the same length",))
SIGNATURE = RING.sign(TENANT, TRACE)
# Everything that the attacker may have seen, and everything that has a meaning to anybody.
PARTS = [
    *[
        "tenant.id",
        "tenant%2Eid",
        "Tenant.Id",
        "TENANT.ID",
        "tenant%2eid",
        "+tenant.id",
        "%74enant.id",
        "tenant%252Eid",
        "tenant\u200b.id",
    ],
    *[
        "tracium.tenant.signature",
        "tracium%2Etenant.signature",
        "traceparent",
        "baggage",
        "acme",
        "globex",
        "evil",
        "%61cme",
        "a+b",
        "%20",
        "%2C",
    ],
    *(
        "=",
        ";",
        ",",
        "+",
        "%",
        "%%",
        "%0",
        "%00",
        "%FF",
        "%C3%A9",
        "%ED%B3%BF",
        " ",
        "\t",
        "\r\n",
        "\0",
        "\xa0",
        '"',
        "\\",
    ),
    *("é", "😀", "\udcff", "\u2028", "a" * 255, "a" * 256, "," * 50, "=" * 50, "%2C" * 50, "x=1," * 60, ";p=1" * 40),
    f"tenant.id={TENANT}",
    "tenant.id=evil",
    SIGNATURE,
    OTHER.sign(TENANT, TRACE),
    OTHER.sign("evil", TRACE),
    RING.sign(TENANT, 1),
    SIGNATURE[:-1],
    SIGNATURE.upper(),
    SIGNATURE[:2] + "0" * 32 + SIGNATURE[34:],
    add_tenant(TENANT, "", SIGNATURE),
    add_tenant("evil", "", SIGNATURE),
    add_tenant("evil", "", OTHER.sign("evil", TRACE)),
    f",tracium.tenant.signature={SIGNATURE}",
]
# What is long is where time is lost.
LONG = [
    "tenant.id=evil,",
    "tenant.id=%",
    "tenant.id=a%2",
    "%",
    "%74",
    "tenant%",
    "+",
    ",",
    ";",
    "=",
    " ",
    "\t,",
    "tenant,",
    "a=1,",
]
LONG += [
    f"tracium.tenant.signature={SIGNATURE},",
    "tenant.id=" + "%C3%A9",
    "é",
    "\udcff",
    "tenant.id=a,tenant.id=a,",
    "a;",
]
PARENTS = [
    f"00-{TRACE:032x}-b7ad6b7169203331-01",
    f"00-{TRACE:032x}-b7ad6b7169203331-00",
    f"00-{TRACE:032X}-b7ad6b7169203331-01",
    f"00-{1:032x}-b7ad6b7169203331-01",
    f"00-{0:032x}-b7ad6b7169203331-01",
    f"ff-{TRACE:032x}-b7ad6b7169203331-01",
    f"01-{TRACE:032x}-b7ad6b7169203331-01-x",
    "00-" + "0" * 2000,
    "",
]
SIZES = (0, 256, 1024, 4096, 8192, 16384, 65536)


class ListGetter(Getter):
    """Headers as servers have them: every value of a name, as text."""

    def get(self, carrier, key):
        return carrier.get(key)

    def keys(self, carrier):
        return list(carrier)


GETTER = ListGetter()
PROPAGATOR = TenantPropagator(CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()]))


def hostile(random_):
    """One request's `baggage` headers and its `traceparent` headers."""
    if random_.random() < 0.02:
        size = random_.choice(SIZES[2:])
        part = random_.choice(LONG)
        headers = [random_.choice(["", "tenant.id=evil,", "tenant.id="]) + part * (size // len(part))]
    else:
        headers = [_text(random_) for _ in range(random_.choice((1, 1, 1, 2, 3)))]
    return headers, [random_.choice(PARENTS) for _ in range(random_.choice((0, 1, 1, 1, 1, 2)))]


def _text(random_):
    parts = [random_.choice(PARTS) for _ in range(random_.randrange(1, 10))]
    if random_.random() < 0.3:
        parts.insert(
            random_.randrange(len(parts) + 1),
            chr(random_.choice((random_.randrange(256), random_.randrange(0x110000)))),
        )
    text = "".join(parts)
    if random_.random() < 0.2:
        place = random_.randrange(len(text))
        text = text[:place] + text[place + 1 :]
    return text


def arrives(headers, parents):
    """The tenant that a request gets, and the trace that it is in; CPU seconds of the extraction."""
    carrier = {"baggage": headers, "traceparent": parents}
    begun = time.thread_time()
    context = PROPAGATOR.extract(carrier, Context(), GETTER)
    seconds = time.thread_time() - begun
    token = attach(context)
    tenant = tracium.get_current_tenant()
    detach(token)
    return tenant, get_current_span(context).get_span_context().trace_id, seconds


def proven(tenant, trace_id, headers):
    """Whether the attacker had what proves this: the one signature that was made for this tenant and trace."""
    return tenant == TENANT and trace_id == TRACE and any(SIGNATURE in header for header in headers)


def fuzz(inputs, seed=1):
    """How many got in with their proof; without it; raised; and CPU seconds by length."""
    random_ = random.Random(seed)
    believed, accepted, raised, times = 0, [], [], defaultdict(list)
    for _ in range(inputs):
        headers, parents = hostile(random_)
        try:
            tenant, trace_id, seconds = arrives(headers, parents)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            raised.append((error, headers, parents))
            continue
        length = sum(map(len, headers))
        times[next(size for size in reversed(SIZES) if length >= size)].append(seconds)
        if tenant is not None:
            believed += 1
            if not proven(tenant, trace_id, headers):
                accepted.append((tenant, headers, parents))
    return believed, accepted, raised, times


def _at(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e6


def show(times):
    print(f"  {'characters':>12} {'inputs':>9} {'p50 µs':>9} {'p99 µs':>9} {'p99.99 µs':>10}")
    for size in sorted(times):
        ordered = sorted(times[size])
        figures = [_at(ordered, share) for share in (0.5, 0.99, 0.9999)]
        print(f"  {f'>= {size}':>12} {len(ordered):9} {figures[0]:9.1f} {figures[1]:9.1f} {figures[2]:10.1f}")


def grows():
    """CPU µs by length for each way to be long, the best of several, and the worst growth for twice the length."""
    print(f"  {'repeated':30}" + "".join(f"{size:>10}" for size in SIZES[3:]) + "   µs, best of 7")
    worst = 0.0
    for part in LONG:
        best = [
            min(arrives([part * (size // len(part))], PARENTS[:1])[2] for _ in range(7)) * 1e6 for size in SIZES[3:]
        ]
        # From 8192 characters on, where fixed costs are small, to 65536: linear is 8.
        worst = max(worst, best[-1] / max(best[-3], 20.0))
        print(f"  {ascii(part)[:30]:30}" + "".join(f"{value:10.1f}" for value in best))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # OpenTelemetry's own propagator warns of each broken entry
    install_trust(Trust(RING))
    believed, accepted, raised, times = fuzz(options.inputs, options.seed)
    print(f"\n{options.inputs} hostile requests, seed {options.seed}")
    print(
        f"  accepted without proof {len(accepted)}, exceptions {len(raised)}, accepted with the proof in it {believed}"
    )
    show(times)
    print(f"  65536 characters cost at most {grows():.1f} times what 8192 do (linear is 8)")
    for found in (*accepted[:3], *raised[:3]):
        print(ascii(found)[:600])
    sys.exit(bool(accepted or raised))


if __name__ == "__main__":
    main()
