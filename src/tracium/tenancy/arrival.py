"""A request on its way in: from where it is handed over until it is done with.

A request's own span begins somewhere inside, and not always: an instrumentation may leave a URL out, or the response's
body may run when the span has ended. An arrival is the request's binding from the first moment to the last. Where an
instrumentation then extracts from what was handed over, it goes on with the arrival instead of beginning anew.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.context import Context, create_key

from tracium.tenancy.people import people_in
from tracium.tenancy.request import Binding
from tracium.tenancy.standing import (
    BAGGAGE,
    STANDING,
    Standing,
    State,
    begin_request,
    said_afterwards,
    said_in,
    unknown_span_in,
    write,
)

# In a context: the arrival that it belongs to, whatever requests began within it by other means.
_ARRIVAL: Final = create_key("tracium-arrival")


class Arrival(Binding):
    """The binding of a request that was seen where it is handed over.

    Args:
        carrier: What is handed over.
        before: The context around the request.

    Attributes:
        carrier: The same, until the request is over; a copy of it that is handed on takes its place.
        before: The context around the request.
        context: The context at the request's beginning; after the instrumentation's extract, with what that brought.
        extracted: Whether an instrumentation has extracted from the carrier, which is when it makes the request's span.
    """

    __slots__ = ("_closed", "before", "carrier", "context", "extracted")

    def __init__(self, carrier: Any, before: Context) -> None:
        self.carrier: Any = carrier
        self.before = before
        super().__init__(unknown_span_in(before))
        self.context = begin_request(before, self, **{_ARRIVAL: self})
        self.extracted = False
        self._closed = False

    @property
    def over(self) -> bool:
        """Whether it is done with. Unlike the end of its span, this is known of unsampled requests too."""
        return self._closed

    def belong_to(self, tenant: str) -> None:
        """Note whom the request arrived for, before anything runs in it."""
        self.bind(tenant)
        self.context = write(self.context, State.SET, tenant, self, None)

    def brings(self, carrier: object) -> bool:
        """Whether `carrier` is what was handed over."""
        return self.carrier is carrier

    def resume(self, carrier: object, context: Context, extracted: Context) -> Context | None:
        """The context of the request's span, if `carrier` is this request's and nobody has extracted from it yet.

        Args:
            carrier: What the propagator extracts from.
            context: What held before; a tenant that was set in this request still does.
            extracted: What the propagator made of both, without a tenant.
        """
        if self.extracted or self._closed or not self.brings(carrier):
            return None
        self.extracted = True
        standing = context.get(STANDING)
        if (
            isinstance(standing, Standing)
            and standing.state is State.NOT_SET
            and standing.binding is self
            and standing.scope is None
            and extracted.get(BAGGAGE) is standing.baggage
        ):
            # Nothing was set since, and nothing but the trace was brought: the context says already what it has to say.
            self.context = extracted
            return extracted
        state, tenant = said_in(context, self)
        scope = standing.scope if isinstance(standing, Standing) else None
        afterwards, people = said_afterwards(context, self), people_in(context, self)
        self.context = write(extracted, state, tenant, self, scope, afterwards=afterwards, people=people)
        return self.context

    def close(self) -> None:
        """Note that it is done with, and let go of what was handed over."""
        self._closed = True
        self.carrier = None
        # Its own context leads back to it, and nobody begins in it any more.
        self.context = self.before


def arrival_in(context: Context) -> Arrival | None:
    """The arrival that `context` belongs to, if its request was seen arriving."""
    arrival: Any = context.get(_ARRIVAL)
    return arrival  # type: ignore[no-any-return] # nobody else has this key
