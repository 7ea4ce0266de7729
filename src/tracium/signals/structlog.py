"""The tenant and the trace in the event dicts of structlog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracium.faults import contained
from tracium.signals.log_origin import told_by
from tracium.tenancy.block import here

if TYPE_CHECKING:
    from collections.abc import MutableMapping


def add_tenant(logger: object, method_name: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG001 - the signature of a processor
    """Add `tenant`, `trace_id` and `span_id` to an event, as far as it belongs to some: a processor of structlog's.

    Put it among the first processors, where the app logs: `structlog.configure(processors=[add_tenant, …])`. What the
    event says itself stays.

    Args:
        logger: Not used.
        method_name: Not used.
        event_dict: The event; it is changed.
    """
    with contained("finding the tenant of an event"):
        for name, value in told_by(here())._asdict().items():
            if value is not None:
                event_dict.setdefault(name, value)
    return event_dict
