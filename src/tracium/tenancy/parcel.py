"""A context as plain values, for a process that shares no memory with this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from opentelemetry.baggage import get_all
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)

from tracium.attributes import TENANT_ID
from tracium.tenancy.people import people_in
from tracium.tenancy.request import Binding
from tracium.tenancy.said import Said
from tracium.tenancy.standing import BAGGAGE, State, binding_in, said_in, write

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Belonging:
    """To whom a request belonged at that moment.

    Attributes:
        tenant: Its tenant, or None.
        mixed: Whether a second one was set in it.
        default: The tenant of its telemetry as long as it has none, or None.
        people: Its user and session, by their attributes, as `Binding` has them.
    """

    tenant: str | None
    mixed: bool
    default: str | None
    people: Mapping[str, str | None] | None = None

    @classmethod
    def of(cls, binding: Binding) -> Self:
        """What `binding` says now."""
        return cls(binding.tenant, binding.mixed, binding.default, binding.people)

    def binding(self) -> Binding:
        """A binding that says the same. What is set there does not come back."""
        binding = Binding()
        binding.tenant, binding.mixed, binding.default = self.tenant, self.mixed, self.default
        binding.people = self.people
        return binding


@dataclass(frozen=True, slots=True)
class Parcel:
    """What of a context is carried: the span that work begins under, the baggage, and whom the work is for.

    Attributes:
        trace: Trace id, span id, flags and trace state of the current span, or None.
        baggage: Without the tenant; values that are no strings stay behind, because they might not be picklable.
        state: What was said last about the tenant: a name of `State`.
        tenant: The tenant that was set, or None.
        request: The request that it belongs to, or None.
        people: What was said about user and session, by their attributes: a name of `State`, the id, and its tenant, as
            `Said` has them.
    """

    trace: tuple[int, int, int, tuple[tuple[str, str], ...]] | None
    baggage: Mapping[str, str]
    state: str
    tenant: str | None
    request: Belonging | None
    people: Mapping[str, tuple[str, str | None, str | None]] | None = None

    @classmethod
    def of(cls, context: Context) -> Self:
        """What `context` holds now."""
        binding = binding_in(context)
        state, tenant = said_in(context, binding)
        people = people_in(context, binding)
        span = get_current_span(context).get_span_context()
        return cls(
            trace=(span.trace_id, span.span_id, span.trace_flags, tuple(span.trace_state.items()))
            if span.is_valid
            else None,
            baggage={
                name: value for name, value in get_all(context).items() if name != TENANT_ID and isinstance(value, str)
            },
            state=state.name,
            tenant=tenant,
            request=None if binding is None else Belonging.of(binding),
            people=None
            if people is None
            else {attribute: (said.state.name, said.value, said.home) for attribute, said in people.items()},
        )

    def context(self) -> Context:
        """A context that holds the same."""
        context = Context({BAGGAGE: dict(self.baggage)})
        if self.trace is not None:
            trace_id, span_id, flags, state = self.trace
            span = SpanContext(
                trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags), trace_state=TraceState(state)
            )
            context = set_span_in_context(NonRecordingSpan(span), context)
        binding = None if self.request is None else self.request.binding()
        people = {
            attribute: Said(State[state], value, home, afterwards=False)
            for attribute, (state, value, home) in (self.people or {}).items()
        }
        return write(context, State[self.state], self.tenant, binding, None, people=people or None)
