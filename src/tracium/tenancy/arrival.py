"""A request on its way in: from where the server hands it to the app until its response is complete.

A server span begins somewhere inside an app, and not always: its instrumentation may leave a URL out, or the response's
body may run when the span has ended. An arrival is the request's binding from the first moment to the last. Where the
instrumentation then extracts from what the server handed over, it goes on with the arrival instead of beginning anew.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context, create_key, get_current
from opentelemetry.trace import set_span_in_context

from tracium import notices
from tracium.attributes import TENANT_ID
from tracium.tenancy.request import Binding
from tracium.tenancy.standing import (
    BAGGAGE,
    STANDING,
    Standing,
    State,
    begin_request,
    said_in,
    unknown_span_in,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from opentelemetry.trace import Span

# In an ASGI scope or a WSGI environ: an arrival stands around this call.
ARRIVED: Final = "tracium.arrived"
# In a context: the arrival that it belongs to, whatever requests began within it by other means.
_ARRIVAL: Final = create_key("tracium-arrival")


class Arrival(Binding):
    """The binding of a request that was seen where the server hands it over.

    Attributes:
        carrier: What the server handed over, an ASGI scope or a WSGI environ, until the request is over; a copy of it that
            is handed on takes its place.
        before: The context around the request.
        context: The context at the request's beginning; after the instrumentation's extract, with what that brought.
        span: The request's server span, where its framework told it: what streams later begins under it.
        extracted: Whether an instrumentation has extracted from the carrier, which is when it makes the server span.
    """

    __slots__ = ("_closed", "before", "carrier", "context", "extracted", "span")

    def __init__(self, carrier: MutableMapping[str, Any]) -> None:
        self.carrier: Mapping[str, Any] | None = carrier
        self.before = _outside(get_current(), carrier)
        super().__init__(unknown_span_in(self.before))
        if TENANT_ID in (self.before.get(BAGGAGE) or ()):  # type: ignore[operator] # baggage is a mapping
            _say_around()
        self.context = begin_request(self.before, self, **{_ARRIVAL: self})
        self.span: Span | None = None
        self.extracted = False
        self._closed = False
        carrier[ARRIVED] = True

    @property
    def over(self) -> bool:
        """Whether the response is complete. Unlike that of a server span, this is known of unsampled requests too."""
        return self._closed

    def resume(self, carrier: object, context: Context, extracted: Context) -> Context | None:
        """The context of the server span, if `carrier` is this request's and nobody has extracted from it yet.

        Args:
            carrier: What the propagator extracts from.
            context: What held before; a tenant that was set in this request still does.
            extracted: What the propagator made of both, without a tenant.
        """
        if self.extracted or not _is_same(self.carrier, carrier):
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
        self.context = write(extracted, state, tenant, self, scope)
        return self.context

    def streaming(self) -> Context:
        """The context for a body that runs when the framework has closed the request already."""
        return self.context if self.span is None else set_span_in_context(self.span, self.context)

    def close(self) -> None:
        """Note that the response is complete, and let go of what the server handed over."""
        self._closed = True
        self.carrier = None
        self.span = None
        # Its own context leads back to it, and nobody begins in it any more.
        self.context = self.before


def arrival_in(context: Context) -> Arrival | None:
    """The arrival that `context` belongs to, if its request was seen arriving."""
    arrival: Any = context.get(_ARRIVAL)
    return arrival  # type: ignore[no-any-return] # nobody else has this key


def _outside(context: Context, carrier: Mapping[str, Any]) -> Context:
    """The context around a request that arrives in `context`, without what other requests left there.

    A server may start a request from within the one before: the next one on a connection begins where the last answer
    is sent, and its task inherits everything.
    """
    other = arrival_in(context)
    while other is not None and (other.over or _from_same_server(other.carrier, carrier)):
        context = other.before
        other = arrival_in(context)
    return context


def _from_same_server(carrier: Mapping[str, Any] | None, other: Mapping[str, Any]) -> bool:
    """Whether two ASGI scopes came over one server, so that neither was made by a call from within the other.

    The client does not tell: behind a proxy, one connection brings requests of many.
    """
    return (
        carrier is not None and "type" in carrier and "type" in other and carrier.get("server") == other.get("server")
    )


def _is_same(carrier: Mapping[str, Any] | None, other: Any) -> bool:
    """Whether `other` carries the headers of the same request: the object itself, a copy, or its headers alone."""
    if carrier is None:
        return False
    if carrier is other:
        return True
    mine: Any = carrier.get("headers")
    if mine is None:
        stream = carrier.get("wsgi.input")
        return stream is not None and isinstance(other, dict) and other.get("wsgi.input") is stream
    theirs: Any = other.get("headers") if isinstance(other, dict) else getattr(other, "raw", None)
    # Starlette's `Headers` keep the scope's list; equal lists of the same objects are compared in one go.
    return theirs is mine or theirs == mine


def _say_around() -> None:
    notices.say(
        "tenant:around",
        logging.WARNING,
        "A tenant was set around a web app, before its request arrived there. It does not hold inside: a request begins "
        "without the tenant of its thread, or another's would show. Set it inside the app, or use the ready-made middleware "
        "of tracium.frameworks, which may stand around the app.",
    )
