"""Tenants that arrived and were not believed: counted, and said once for each reason, with the cure."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Final

from tracium import notices
from tracium.attributes import REJECTED, REJECTION_REASON, TENANT_ID

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter

_WHY: Final = {
    "unproven": (
        f"A request brought {TENANT_ID} in its baggage header. Anyone can send that, so it is dropped. Set the tenant from "
        "what your app trusts (a verified token, your own session) with tracium.set_tenant()."
    ),
    "oversize": (
        f"A message brought {TENANT_ID} in a baggage header of more than 8192 bytes, so it is processed without a tenant. "
        "Send less baggage."
    ),
    "ambiguous": (
        f"A message brought a {TENANT_ID} that can be read in more than one way (two of them, or a plus sign that may be a "
        "space), so it is processed without a tenant. Send it once, percent-encoded, as tracium.queues.inject() does."
    ),
    "broken": (
        f"A message brought a {TENANT_ID} whose percent-encoding is broken, so it is processed without a tenant. Send it as "
        "tracium.queues.inject() does."
    ),
    "invalid": (
        f"A message brought a {TENANT_ID} that no tenant can have (1 to 255 characters without control characters), so it is "
        "processed without a tenant. Send it as tracium.queues.inject() does."
    ),
}


def reject(reason: str) -> None:
    """Count a tenant that was dropped, and say why unless that was said.

    Args:
        reason: `unproven`, `oversize`, `ambiguous`, `broken` or `invalid`.
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
