"""A request on its way in: from where the server hands it to the app until its response is complete.

A server span begins somewhere inside an app, and not always: its instrumentation may leave a URL out, or the response's
body may run when the span has ended. An arrival is the request's binding from the first moment to the last. Where the
instrumentation then extracts from what the server handed over, it goes on with the arrival instead of beginning anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context, get_current
from opentelemetry.trace import set_span_in_context

from tracium.tenancy.request import Binding
from tracium.tenancy.standing import begin_request, binding_in, said_in, span_in, standing_in, unknown_span_in, write

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from opentelemetry.trace import Span

# In an ASGI scope or a WSGI environ: an arrival stands around this call.
ARRIVED: Final = "tracium.arrived"


class Arrival(Binding):
    """The binding of a request that was seen where the server hands it over.

    Attributes:
        carrier: What the server handed over, an ASGI scope or a WSGI environ, until the request is over.
        before: The context around the request.
        context: The context at the request's beginning; after the instrumentation's extract, with what that brought.
        span: The request's server span, where its framework told it: what streams later begins under it.
    """

    __slots__ = ("_awaits", "_closed", "before", "carrier", "context", "span")

    def __init__(self, carrier: MutableMapping[str, Any]) -> None:
        self.carrier: Mapping[str, Any] | None = carrier
        self.before = _outside(get_current(), carrier)
        super().__init__(unknown_span_in(self.before))
        self.context = begin_request(self.before, self)
        self.span: Span | None = None
        self._awaits = True
        self._closed = False
        carrier[ARRIVED] = True

    @property
    def over(self) -> bool:
        """Whether the response is complete. Unlike that of a server span, this is known of unsampled requests too."""
        return self._closed

    @property
    def has_span(self) -> bool:
        """Whether the code that runs now runs under a span that began in this request."""
        return span_in(get_current()) is not span_in(self.before)

    def resume(self, carrier: object, context: Context, extracted: Context) -> Context | None:
        """The context of the server span, if `carrier` is this request's and nobody has extracted from it yet.

        Args:
            carrier: What the propagator extracts from.
            context: What held before; a tenant that was set in this request still does.
            extracted: What the propagator made of both, without a tenant.
        """
        if not self._awaits or not _is_same(self.carrier, carrier):
            return None
        self._awaits = False
        standing = standing_in(context)
        state, tenant = said_in(context, self)
        self.context = write(extracted, state, tenant, self, None if standing is None else standing.scope)
        return self.context

    def streaming(self) -> Context:
        """The context for a body that runs when the framework has closed the request already."""
        return self.context if self.span is None else set_span_in_context(self.span, self.context)

    def close(self) -> None:
        """Note that the response is complete, and let go of what the server handed over."""
        self._closed = True
        self.carrier = None
        self.span = None


def arrival_in(context: Context) -> Arrival | None:
    """The arrival that `context` belongs to, if its request was seen arriving."""
    binding = binding_in(context)
    return binding if isinstance(binding, Arrival) else None


def _outside(context: Context, carrier: Mapping[str, Any]) -> Context:
    """The context around a request that arrives in `context`, without what other requests left there.

    A server may start a request from within the one before: the next one on a connection begins where the last answer
    is sent, and its task inherits everything.
    """
    other = arrival_in(context)
    while other is not None and (other.over or _on_same_connection(other.carrier, carrier)):
        context = other.before
        other = arrival_in(context)
    return context


def _on_same_connection(carrier: Mapping[str, Any] | None, other: Mapping[str, Any]) -> bool:
    """Whether two ASGI scopes came over one connection, so that neither was made by a call from within the other."""
    return (
        carrier is not None
        and "client" in carrier
        and "client" in other
        and carrier["client"] == other["client"]
        and carrier.get("server") == other.get("server")
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
