"""A request as a web server hands it to an app.

It is the request's from there until its response is complete: a server span may begin later, end before, or not be made.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context, get_current
from opentelemetry.trace import set_span_in_context

from tracium import notices
from tracium.attributes import TENANT_ID
from tracium.boundary.judgement import judge
from tracium.boundary.propagation import trace_of
from tracium.boundary.trust import trust
from tracium.frameworks.carriers import GETTER, peer_of
from tracium.tenancy.arrival import Arrival, arrival_in
from tracium.tenancy.standing import BAGGAGE

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from opentelemetry.trace import Span

# In an ASGI scope or a WSGI environ: an arrival stands around this call.
ARRIVED: Final = "tracium.arrived"


class WebArrival(Arrival):
    """A request that arrives in an ASGI scope or a WSGI environ.

    Attributes:
        span: The request's server span, where its framework told it: what streams later begins under it.
    """

    __slots__ = ("span",)

    def __init__(self, carrier: MutableMapping[str, Any]) -> None:
        super().__init__(carrier, _outside(get_current(), carrier))
        if TENANT_ID in (self.before.get(BAGGAGE) or ()):  # type: ignore[operator] # baggage is a mapping
            _say_around()
        self.span: Span | None = None
        carrier[ARRIVED] = True
        tenant = judge(
            carrier,
            GETTER,
            lambda: trace_of(carrier, GETTER),
            believed=trust().believes(peer_of(carrier)),
        )
        if tenant is not None:
            self.belong_to(tenant)

    def brings(self, carrier: object) -> bool:
        """Whether `carrier` has the headers of this request: the object itself, a copy, or its headers alone."""
        return _is_same(self.carrier, carrier)

    def streaming(self) -> Context:
        """The context for a body that runs when the framework has closed the request already."""
        return self.context if self.span is None else set_span_in_context(self.span, self.context)

    def close(self) -> None:
        """Note that the response is complete, and let go of what the server handed over."""
        super().close()
        self.span = None


def web_arrival_in(context: Context) -> WebArrival | None:
    """The request of a web server that `context` belongs to, if any."""
    arrival = arrival_in(context)
    return arrival if isinstance(arrival, WebArrival) else None


def _outside(context: Context, carrier: Mapping[str, Any]) -> Context:
    """The context around a request that arrives in `context`, without what other requests left there.

    A server may start a request from within the one before: the next one on a connection begins where the last answer
    is sent, and its task inherits everything.
    """
    other = web_arrival_in(context)
    while other is not None and (other.over or _from_same_server(other.carrier, carrier)):
        context = other.before
        other = web_arrival_in(context)
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
