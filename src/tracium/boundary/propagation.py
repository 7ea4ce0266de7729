"""What may come in and go out with W3C baggage.

This propagator stands around the one that the user configured. On the way in it begins the request's binding, and a
tenant that arrives from outside is dropped, because nothing proves it: anyone can send `baggage: tenant.id=…`. On the
way out the tenant stays here: the one who is called may be anybody. All other baggage flows as configured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context, get_current, set_value
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

from tracium.attributes import TENANT_ID
from tracium.boundary.rejection import reject
from tracium.tenancy.arrival import arrival_in
from tracium.tenancy.request import Binding
from tracium.tenancy.standing import BAGGAGE, begin_request, unknown_span_in

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_OF_MESSAGES: Final = tuple(
    f"opentelemetry.instrumentation.{name}." for name in ("aiokafka", "confluent_kafka", "kafka")
)


class TenantPropagator(TextMapPropagator):
    """Propagates as `inner` does, except for the tenant.

    Attributes:
        inner: The propagator that was configured.
    """

    def __init__(self, inner: TextMapPropagator) -> None:
        self.inner = inner

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """The context of a request that arrives with `carrier`: no tenant of another's, and a binding of its own.

        Where the request was seen arriving, it has its binding already, and keeps the tenant that was set in it since.
        """
        around = get_current() if context is None else context
        extracted = self.inner.extract(carrier, without_tenant(around), getter)
        arrival = arrival_in(around)
        if _carries_tenant(extracted):
            if (arrival is None or not arrival.judged(carrier)) and not _reads_messages(getter):
                reject("unproven")
            extracted = without_tenant(extracted)
        resumed = None if arrival is None else arrival.resume(carrier, around, extracted)
        return begin_request(extracted, Binding(unknown_span_in(extracted))) if resumed is None else resumed

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Write everything but the tenant into `carrier`."""
        self.inner.inject(carrier, without_tenant(get_current() if context is None else context), setter)

    @property
    def fields(self) -> AbstractSet[str]:  # type: ignore[override] # some propagators give other kinds of sets
        """The headers that `inject` may set."""
        return self.inner.fields


def _reads_messages(getter: object) -> bool:
    """Whether an instrumentation looks at a message's trace: its tenant counts where the message is processed."""
    return type(getter).__module__.startswith(_OF_MESSAGES)


def install() -> TenantPropagator:
    """Put our propagator around the global one, once."""
    current = get_global_textmap()
    if isinstance(current, TenantPropagator):
        return current
    ours = TenantPropagator(current)
    set_global_textmap(ours)
    return ours


def configured() -> TextMapPropagator:
    """The propagator that the user configured, without ours around it."""
    current = get_global_textmap()
    return current.inner if isinstance(current, TenantPropagator) else current


def without_tenant(context: Context) -> Context:
    """`context` with all of its baggage but the tenant."""
    if not _carries_tenant(context):
        return context
    carried = context[BAGGAGE]
    entries = {key: value for key, value in carried.items() if key != TENANT_ID} if isinstance(carried, dict) else {}
    return set_value(BAGGAGE, entries, context)


def _carries_tenant(context: Context) -> bool:
    carried = context.get(BAGGAGE)
    return isinstance(carried, dict) and TENANT_ID in carried
