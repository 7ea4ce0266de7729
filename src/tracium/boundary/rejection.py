"""Tenants that arrived and were not believed: counted, and said once for each reason, with the cure."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Final

from tracium import notices
from tracium.attributes import REJECTED, REJECTION_REASON, TENANT_ID

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter

_SHARE: Final = (
    "Services of one installation share a key: the same TRACIUM_API_KEY, or TRACIUM_PROPAGATION_KEY in each of them"
)
_WHY: Final = {
    "unproven": (
        f"A request brought {TENANT_ID} in its baggage header. Anyone can send that, so it is dropped. Set the tenant from "
        "what your app trusts (a verified token, your own session) with tracium.set_tenant(). If it came from a service of "
        f"yours: {_SHARE}; or name its network in TRACIUM_TRUSTED_SOURCES."
    ),
    "unsigned": (
        f"{TENANT_ID} came without a signature, so it is dropped. If it came from a service of yours, let it run tracium 2 "
        f"with the same key: {_SHARE}."
    ),
    "forged": (
        f"{TENANT_ID} came with a signature that no key of this service made, so it is dropped. Somebody made it up, or the "
        f"service that sent it has another key: {_SHARE}. To change a key, list the new one first and the old one after it."
    ),
    "no_trace": (
        f"{TENANT_ID} came signed but without a trace, to which the signature belongs, so it is dropped. Something between the "
        "services took the traceparent header away: let it pass, or let both use the same OTEL_PROPAGATORS."
    ),
    "trace_mismatch": (
        f"{TENANT_ID} came with the signature of another trace, so it is dropped. Something between the services, a gateway "
        "for one, begins a trace of its own: let it continue the trace that it is given, or let it pass traceparent through."
    ),
    "oversize": (
        f"{TENANT_ID} came in a baggage header of more than 8192 bytes, so the work goes on without a tenant. Send less "
        "baggage."
    ),
    "ambiguous": (
        f"{TENANT_ID} came in a form that can be read in more than one way (two of them, or a plus sign that may be a space), "
        "so the work goes on without a tenant. Send it once, percent-encoded, as tracium does."
    ),
    "broken": (
        f"{TENANT_ID} came with a percent-encoding that is broken, so the work goes on without a tenant. Send it as tracium "
        "does."
    ),
    "invalid": (
        f"{TENANT_ID} came with a value that no tenant can have (1 to 255 characters without control characters), so the work "
        "goes on without a tenant. Send it as tracium does."
    ),
}


def reject(reason: str) -> None:
    """Count a tenant that was dropped, and say why unless that was said.

    Args:
        reason: One of those above.
    """
    notices.say(f"tenant:{reason}", logging.WARNING, _WHY[reason])
    _counter().add(1, {REJECTION_REASON: reason})


@functools.cache
def _counter() -> Counter:
    # Metrics' part of the API is only loaded where there is something to count.
    from opentelemetry.metrics import get_meter  # noqa: PLC0415

    return get_meter("tracium").create_counter(
        REJECTED, unit="{tenant}", description="Tenants that arrived with a request or a message and were not believed."
    )
