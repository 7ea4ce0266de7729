"""The tenant of the current context: set it, clear it, ask for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry.context import attach

from tracium import notices
from tracium.attributes import TENANT_MIXED
from tracium.faults import fault
from tracium.tenancy.block import here
from tracium.tenancy.identity import check_tenant
from tracium.tenancy.marking import mark_open_span
from tracium.tenancy.request import Binding, Bound, open_ancestor, place_of
from tracium.tenancy.standing import State, binding_in, current_tenant, span_in, standing_in, write

if TYPE_CHECKING:
    from opentelemetry.trace import Span


def set_tenant(tenant: str | None) -> None:
    """Set the tenant for what follows in the current context; None clears it.

    In a request that has no tenant yet the request belongs to it from now on, with its open spans from the current one
    up to the request's own. A request keeps its first tenant: work for several belongs into `with tracium.tenant(…)`.
    After a clear `get_current_tenant()` says None, while the request's spans keep its tenant.

    Args:
        tenant: 1 to 255 characters without control characters and lone surrogates, or None.

    Raises:
        TenantTypeError: `tenant` is neither a string nor None (it is a `TypeError`).
        TenantValueError: No tenant can have this id (it is a `ValueError`).
    """
    checked = None if tenant is None else check_tenant(tenant)
    context = here()
    standing = standing_in(context)
    binding = binding_in(context)
    scope = None if standing is None else standing.scope
    attach(write(context, State.CLEARED if checked is None else State.SET, checked, binding, scope))
    if checked is not None:
        span = span_in(context)
        if span is not None or binding is not None:
            _record(span, binding, checked)


def get_current_tenant() -> str | None:
    """The tenant that the current code works for, or None.

    It is what was set in this context, else what the current request belongs to. A configured default is not a tenant
    that anybody set, so it is not told here.
    """
    return current_tenant(here())


def assume_tenant(tenant: str) -> None:
    """Let the current request's telemetry carry `tenant` as long as no tenant is set in it.

    Like the configured default it binds nothing: `get_current_tenant()` does not tell it, and the first tenant that is
    set replaces it on the request's open spans. Outside a request it does nothing.

    Raises:
        TenantTypeError: `tenant` is not a string.
        TenantValueError: No tenant can have this id.
    """
    checked = check_tenant(tenant)
    context = here()
    binding = binding_in(context)
    if binding is None or binding.tenant is not None:
        return
    binding.default = checked
    try:
        _mark_request(span_in(context), binding, checked, by_default=True)
    except Exception as error:  # noqa: BLE001 - recording never breaks the app
        fault("marking the spans of a request", error)


def _record(span: Span | None, binding: Binding | None, tenant: str) -> None:
    try:
        if binding is None:
            if span is not None and span.is_recording():
                mark_open_span(span, tenant)
        elif binding.bind(tenant) is Bound.MIXED:
            _record_mixed(binding, tenant)
        else:
            _mark_request(span, binding, tenant, by_default=False)
    except Exception as error:  # noqa: BLE001 - recording never breaks the app
        fault("marking the spans of a request", error)


def _mark_request(span: Span | None, binding: Binding, tenant: str, *, by_default: bool) -> None:
    """Mark the open spans from the current one up to the request's own, and that one in any case."""
    entry = binding.entry
    open_span = open_ancestor(span)
    if (
        not binding.claimed
        and span is not None
        and open_span is span
        and place_of(span) is None
        and span is not binding.above
    ):
        # Another vendor's span: nobody could tell where it stands, but it began in this request.
        mark_open_span(span, tenant, by_default=by_default)
        return
    while open_span is not None and open_span is not entry:
        place = place_of(open_span)
        if place is None or place.binding is not binding:
            break
        mark_open_span(open_span, tenant, by_default=by_default)
        open_span = open_ancestor(place.parent)
    if entry is not None:
        mark_open_span(entry, tenant, by_default=by_default)


def _record_mixed(binding: Binding, tenant: str) -> None:
    entry = binding.entry
    if entry is not None:
        entry.set_attribute(TENANT_MIXED, value=True)
    notices.say(
        "tenant:mixed",
        logging.WARNING,
        f"A request that belongs to the tenant {binding.tenant!r} set a second one, {tenant!r}. The request keeps the "
        f"first and its span says {TENANT_MIXED}=true; from here its spans carry a tenant only where one is set in "
        "their context. For work over several tenants use `with tracium.tenant(…):`.",
    )
