"""The tenant of the current context, its user and its session: set them, clear them, ask for them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry.context import attach

from tracium import notices
from tracium.attributes import TENANT_MIXED
from tracium.faults import fault
from tracium.tenancy.block import here
from tracium.tenancy.identity import SESSION, TENANT, USER, check_tenant
from tracium.tenancy.marking import mark_open_span, mark_person
from tracium.tenancy.open_spans import mark_request
from tracium.tenancy.people import current, home_in, say
from tracium.tenancy.request import Bound
from tracium.tenancy.standing import State, binding_in, current_tenant, span_in, standing_in

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from tracium.tenancy.identity import Identity
    from tracium.tenancy.request import Binding


def set_tenant(tenant_id: str | None) -> None:
    """Set the tenant for what follows in the current context; None clears it.

    In a request that has no tenant yet the request belongs to it from now on, with its open spans from the current one
    up to the request's own. A request keeps its first tenant: work for several belongs into `with tracium.tenant(…)`.
    After a clear `get_current_tenant()` says None, while the request's spans keep its tenant. A user or session of another
    tenant does not hold any more.

    Args:
        tenant_id: 1 to 255 characters without control characters and lone surrogates, or None.

    Raises:
        TenantTypeError: `tenant_id` is neither a string nor None (it is a `TypeError`).
        TenantValueError: No tenant can have this id (it is a `ValueError`).
    """
    before, checked = _set(TENANT, tenant_id)
    if checked is None:
        return
    span, binding = span_in(before), binding_in(before)
    if span is not None or binding is not None:
        try:
            _record(span, binding, checked)
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            fault("marking the spans of a request", error)


def set_user(user: str | None) -> None:
    """Set the user for what follows in the current context; None clears it.

    It is one of the tenant that holds here, or of the one that is set next if none does; where another tenant holds, the
    user does not. In a request that has no user yet it is the request's from now on, on its open spans too. A second one
    is on spans that start afterwards, and the request keeps the first. It is written to spans and logs as `user.id`, and
    goes along to threads, tasks and processes, but never to other services or queues.

    Args:
        user: 1 to 255 characters without control characters and lone surrogates, or None.

    Raises:
        IdentityTypeError: `user` is neither a string nor None (it is a `TypeError`).
        IdentityValueError: No user can have this id (it is a `ValueError`).
    """
    _set_person(USER, user)


def set_session(session: str | None) -> None:
    """Set the session for what follows in the current context, by the rules of `set_user`; None clears it.

    It is written to spans and logs as `session.id`.

    Args:
        session: 1 to 255 characters without control characters and lone surrogates, or None.

    Raises:
        IdentityTypeError: `session` is neither a string nor None (it is a `TypeError`).
        IdentityValueError: No session can have this id (it is a `ValueError`).
    """
    _set_person(SESSION, session)


def get_current_tenant() -> str | None:
    """The tenant that the current code works for, or None.

    It is what was set in this context, else what the current request belongs to. A configured default is not a tenant
    that anybody set, so it is not told here.
    """
    return current_tenant(here())


def get_current_user() -> str | None:
    """The user that the current code works for, or None: what was set in this context, else the current request's."""
    return current(here(), USER)


def get_current_session() -> str | None:
    """The session that the current code works for, or None: what was set in this context, else the current request's."""
    return current(here(), SESSION)


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
        mark_request(span_in(context), binding, lambda span: mark_open_span(span, checked, by_default=True))
    except Exception as error:  # noqa: BLE001 - recording never breaks the app
        fault("marking the spans of a request", error)


def _set(identity: Identity, value: str | None) -> tuple[Context, str | None]:
    """Let `value` hold from here on; give the context that held until now, and the value as a plain string."""
    checked = None if value is None else identity.check(value)
    context = here()
    standing = standing_in(context)
    scope = None if standing is None else standing.scope
    attach(say(context, identity, State.CLEARED if checked is None else State.SET, checked, scope))
    return context, checked


def _set_person(identity: Identity, value: str | None) -> None:
    before, checked = _set(identity, value)
    if checked is None:
        return
    try:
        _record_person(before, identity.attribute, checked)
    except Exception as error:  # noqa: BLE001 - recording never breaks the app
        fault("marking the spans of a request", error)


def _record(span: Span | None, binding: Binding | None, tenant: str) -> None:
    if binding is None:
        if span is not None and span.is_recording():
            mark_open_span(span, tenant)
    elif binding.bind(tenant) is Bound.MIXED:
        _record_mixed(binding, tenant)
    else:
        mark_request(span, binding, lambda open_span: mark_open_span(open_span, tenant))


def _record_person(context: Context, attribute: str, value: str) -> None:
    span, binding = span_in(context), binding_in(context)
    if span is None and binding is None:
        return
    home = home_in(context, binding)
    tenant = home or None
    if binding is None or home not in {None, binding.tenant}:
        # In no request, or for a tenant that is not the request's.
        if span is not None and span.is_recording():
            mark_person(span, attribute, value, tenant)
    elif binding.bind_person(attribute, value) is not Bound.MIXED:
        mark_request(span, binding, lambda open_span: mark_person(open_span, attribute, value, tenant), known=True)


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
