"""What goes to a message broker and comes from it. Brokers are inside: the tenant goes along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from opentelemetry.propagators.textmap import CarrierT, Getter, Setter
from opentelemetry.trace import get_current_span

from tracium.boundary.judgement import judge
from tracium.boundary.member import HEADER, add_tenant, without_ours
from tracium.boundary.propagation import configured, without_tenant
from tracium.boundary.trust import trust
from tracium.tenancy.standing import current_tenant

if TYPE_CHECKING:
    from opentelemetry.context import Context


def fields() -> set[str]:
    """The headers that `send` may set."""
    return {*configured().fields, HEADER}


def send(carrier: CarrierT, setter: Setter[CarrierT], context: Context) -> None:
    """Write the trace, the tenant and all other baggage of `context` into the headers of a message."""
    tenant = current_tenant(context)
    adding = _TenantSetter(setter, tenant, _signature(tenant, context))
    configured().inject(carrier, without_tenant(context), adding)
    adding.finish(carrier)


def receive(carrier: CarrierT, getter: Getter[CarrierT], context: Context) -> tuple[Context, str | None]:
    """What the headers of a message bring.

    Returns:
        `context` with the message's trace and its other baggage, and the tenant. One that cannot be read for certain is
        counted and dropped.
    """
    extracted = configured().extract(carrier, context, getter)
    tenant = judge(carrier, getter, lambda: extracted, believed=not trust().proven_brokers)
    return without_tenant(extracted), tenant


def _signature(tenant: str | None, context: Context) -> str | None:
    """For those who take no message without one."""
    if tenant is None:
        return None
    return trust().keyring.sign(tenant, get_current_span(context).get_span_context().trace_id)


class _TenantSetter(Setter[CarrierT], Generic[CarrierT]):
    """Sets headers as `setter` does, with the tenant, or none, in the one for baggage."""

    def __init__(self, setter: Setter[CarrierT], tenant: str | None, signature: str | None) -> None:
        self._setter = setter
        self._tenant = tenant
        self._signature = signature
        self._added = False

    def set(self, carrier: CarrierT, key: str, value: str) -> None:
        if key.lower() == HEADER:
            value = without_ours(value) if self._tenant is None else add_tenant(self._tenant, value, self._signature)
            self._added = True
            if not value:
                return
        self._setter.set(carrier, key, value)

    def finish(self, carrier: CarrierT) -> None:
        """Set the header for baggage where no propagator did."""
        if self._tenant is not None and not self._added:
            self._setter.set(carrier, HEADER, add_tenant(self._tenant, signature=self._signature))
