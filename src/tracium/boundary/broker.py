"""What goes to a message broker and comes from it. Brokers are inside: the tenant goes along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from opentelemetry.propagators.textmap import CarrierT, Getter, Setter

from tracium.boundary.member import HEADER, UnreadableTenantError, add_tenant, read_tenant, without_tenant_members
from tracium.boundary.propagation import configured, without_tenant
from tracium.boundary.rejection import reject
from tracium.tenancy.standing import current_tenant

if TYPE_CHECKING:
    from opentelemetry.context import Context


def fields() -> set[str]:
    """The headers that `send` may set."""
    return {*configured().fields, HEADER}


def send(carrier: CarrierT, setter: Setter[CarrierT], context: Context) -> None:
    """Write the trace, the tenant and all other baggage of `context` into the headers of a message."""
    tenant = current_tenant(context)
    adding = _TenantSetter(setter, tenant)
    configured().inject(carrier, without_tenant(context), adding)
    if tenant is not None and not adding.added:
        setter.set(carrier, HEADER, add_tenant(tenant))


def receive(carrier: CarrierT, getter: Getter[CarrierT], context: Context) -> tuple[Context, str | None]:
    """What the headers of a message bring.

    Returns:
        `context` with the message's trace and its other baggage, and the tenant. One that cannot be read for certain is
        counted and dropped.
    """
    extracted = without_tenant(configured().extract(carrier, context, getter))
    try:
        return extracted, read_tenant(getter.get(carrier, HEADER) or ())
    except UnreadableTenantError as unreadable:
        reject(unreadable.reason)
        return extracted, None


class _TenantSetter(Setter[CarrierT], Generic[CarrierT]):
    """Sets headers as `setter` does, with the tenant, or none, in the one for baggage."""

    def __init__(self, setter: Setter[CarrierT], tenant: str | None) -> None:
        self._setter = setter
        self._tenant = tenant
        self.added = False

    def set(self, carrier: CarrierT, key: str, value: str) -> None:
        if key.lower() == HEADER:
            value = without_tenant_members(value) if self._tenant is None else add_tenant(self._tenant, value)
            self.added = True
            if not value:
                return
        self._setter.set(carrier, key, value)
