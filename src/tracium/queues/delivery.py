"""A message as a queue hands it to a worker: a request of its own, whatever the worker was doing before."""

from __future__ import annotations

import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context, attach, get_current

from tracium.boundary.broker import receive
from tracium.faults import fault
from tracium.queues.headers import GETTER
from tracium.tenancy.arrival import Arrival, arrival_in
from tracium.tenancy.attachment import restore
from tracium.tenancy.block import here
from tracium.tenancy.standing import BAGGAGE, State, current_tenant, write

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.propagators.textmap import Getter


# A context variable and not a flag: tasks that a message started keep its tenant.
_left: Final[ContextVar[tuple[weakref.ref[Delivery], ...]]] = ContextVar("tracium-left-messages", default=())


class Delivery(Arrival):
    """One message on its way in, with what it brings: the trace, the baggage, and the tenant that it belongs to.

    It is for queues whose instrumentation makes the message's span; `tracium.queues.message` makes one itself.

    Args:
        carrier: The message's headers; what the instrumentation extracts from, if any, is this object.
        getter: How to read them.
    """

    __slots__ = ("_token",)

    def __init__(self, carrier: Any, getter: Getter[Any] = GETTER) -> None:
        super().__init__(carrier, here())
        self._token: Token[Context] | None = None
        # Other baggage of what the worker did before is not the message's either.
        alone = _without_baggage(self.context)
        try:
            extracted, tenant = receive(carrier, getter, alone)
        except Exception as error:  # noqa: BLE001 - the message is processed all the same, and for nobody
            fault("reading a message's headers", error)
            extracted, tenant = alone, None
        self._begin(extracted, tenant)

    def enter(self) -> None:
        """Let the message's context hold from here on."""
        self._token = attach(self.context)

    def leave(self) -> None:
        """Let the context around the message hold again, and note that the message is done with."""
        token, self._token = self._token, None
        self.close()
        # Where this message's context comes back later, because an inner one ends after it, it does not hold any more.
        _left.set((*(ref for ref in _left.get() if ref() is not None), weakref.ref(self)))
        if token is not None:
            restore(token)
            _step_out()

    def _begin(self, context: Context, tenant: str | None) -> None:
        if tenant is not None:
            self.bind(tenant)
        self.context = write(context, State.NOT_SET if tenant is None else State.SET, tenant, self, None)


class InlineDelivery(Delivery):
    """A message that never went to a broker, because it is processed where it is sent: its sender's context is around it."""

    __slots__ = ()

    def __init__(self, carrier: Any) -> None:
        Arrival.__init__(self, carrier, here())
        self._token = None
        self._begin(self.context, current_tenant(self.before))


def deliver(carrier: Any, getter: Getter[Any] = GETTER) -> Delivery | None:
    """Enter the context of a message; None, and a fault is logged, where that fails."""
    try:
        delivery = Delivery(carrier, getter)
    except Exception as error:  # noqa: BLE001 - the message is processed all the same
        fault("taking in a message", error)
        return None
    delivery.enter()
    return delivery


def _step_out() -> None:
    """Go out of messages that were left here before one that began within them."""
    context = around = get_current()
    left = [ref() for ref in _left.get()]
    arrival = arrival_in(around)
    while arrival is not None and any(arrival is other for other in left):
        around = arrival.before
        arrival = arrival_in(around)
    if around is not context:
        attach(around)


def _without_baggage(context: Context) -> Context:
    return Context({key: value for key, value in context.items() if key != BAGGAGE})
