"""What an OpenTelemetry context says about the tenant, and about its user and session.

The tenant itself is W3C baggage under `tenant.id`: that is the one source of truth, also when other code writes it
with OpenTelemetry's own API. Next to it stands one value of ours: the request that the context belongs to, whether the
tenant was cleared, and the tenant again, so that a starting span finds it with one look. What it repeats is only
believed as long as the baggage beside it is the very object that it was read from. User and session stand there alone:
baggage would carry them to others.
"""

from __future__ import annotations

import enum
import logging
import reprlib
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import baggage
from opentelemetry.context import Context, create_key
from opentelemetry.trace import INVALID_SPAN, Span, set_span_in_context

from tracium import notices
from tracium.attributes import TENANT_ID
from tracium.tenancy.identity import check_tenant, is_tenant
from tracium.tenancy.request import Binding, Place, place_below, place_of
from tracium.tenancy.said import marks_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.tenancy.block import Block
    from tracium.tenancy.said import Marks, Said

STANDING: Final = create_key("tracium-standing")
# OpenTelemetry keeps its keys to itself; a context that holds one value tells which key that is.
BAGGAGE: Final = next(iter(baggage.set_baggage("key", "value", Context())))
SPAN: Final = next(iter(set_span_in_context(INVALID_SPAN, Context())))


class State(enum.Enum):
    """What was said last in a context about the tenant, the user or the session."""

    NOT_SET = enum.auto()
    SET = enum.auto()
    CLEARED = enum.auto()
    # inside `with tracium.tenant(None):`
    NONE = enum.auto()


_NO_MARKS: Final[Marks] = ()
_NO_MORE: Final[Mapping[str, object]] = {}
# The place of every span that is in no request.
_OUTSIDE: Final = Place(None, None)


class Standing:
    """Our value in a context.

    Attributes:
        state: What was said last.
        tenant: The tenant that was set, or None.
        baggage: The baggage that carries it, compared by identity.
        binding: The request that the context belonged to when this was written.
        span: The context's span when this was written.
        scope: The innermost block of `tracium.tenant`, `user` or `session` that is open here.
        afterwards: Whether the request around was over when the block was opened in which the tenant was said.
        people: What was said about user and session, by their attributes; None if nothing.
        marks: Of those, what a span of the tenant gets.
        merged: The request's people, and `marks` together with them, as they were last put together.
        place: What the spans share that start directly under `span`, and all that are in no request.
        nearby: The place that `place_below` gave last.
    """

    __slots__ = (
        "afterwards",
        "baggage",
        "binding",
        "marks",
        "merged",
        "nearby",
        "people",
        "place",
        "scope",
        "span",
        "state",
        "tenant",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - a plain record
        self,
        state: State,
        tenant: str | None,
        carried: object,
        binding: Binding | None,
        span: object,
        scope: Block | None,
        afterwards: bool,  # noqa: FBT001 - as above
        people: Mapping[str, Said] | None,
    ) -> None:
        self.state = state
        self.tenant = tenant
        self.baggage = carried
        self.binding = binding
        self.span = span
        self.scope = scope
        self.afterwards = afterwards
        self.people = people
        self.marks: Marks = _NO_MARKS if people is None else marks_of(people, tenant)
        self.merged: tuple[Mapping[str, str | None], Marks] | None = None
        self.place = self.nearby = _OUTSIDE if binding is None else place_below(binding, span)

    def place_below(self, span: object) -> Place:
        """The place of a span that starts under `span` with this tenant; what starts there too may share it."""
        if self.binding is None or span is self.span:
            return self.place
        nearby = self.nearby
        if nearby.above is None or nearby.above() is not span:
            nearby = self.nearby = place_below(self.binding, span)
        return nearby


def standing_in(context: Context) -> Standing | None:
    """What was written into `context`, if anything."""
    standing: Any = context.get(STANDING)
    return standing  # type: ignore[no-any-return] # a context's values are objects; nobody else has this key


def binding_in(context: Context) -> Binding | None:
    """The request that `context` belongs to.

    It is the one that was written into the context, unless a span has become current since then that belongs to
    another: a server span whose instrumentation extracts nothing begins a request too.
    """
    standing: Any = context.get(STANDING)
    span = context.get(SPAN)
    if standing is None or span is not standing.span:
        place = place_of(span)
        if place is not None:
            return place.binding
        if standing is None:
            return None
    binding: Binding | None = standing.binding
    return binding


def said_in(context: Context, binding: Binding | None) -> tuple[State, str | None]:
    """What `context` itself says about the tenant, for work that belongs to the request `binding`.

    What another request left behind on this thread does not count once that request is over. A block that was opened
    after that is nothing left behind: a worker that was born in a request works on for others.
    """
    standing = standing_in(context)
    carried = context.get(BAGGAGE)
    if standing is None:
        return _baggage_says(carried, State.NOT_SET)
    if is_left_behind(standing, binding, afterwards=standing.afterwards):
        return State.NOT_SET, None
    # A clear belongs to one request and says nothing about the next.
    cleared_elsewhere = standing.state is State.CLEARED and standing.binding is not binding
    state = State.NOT_SET if cleared_elsewhere else standing.state
    if carried is standing.baggage:
        return state, standing.tenant
    # Other code wrote baggage since: what it says now is what holds.
    return _baggage_says(carried, State.CLEARED if state is State.SET else state)


def said_afterwards(context: Context, binding: Binding | None) -> bool:
    """Whether the tenant was said in a block that was opened when the request `binding` was over."""
    standing = standing_in(context)
    return standing is not None and standing.afterwards and standing.binding is binding


def is_left_behind(standing: Standing, binding: Binding | None, *, afterwards: bool) -> bool:
    """Whether `standing` was written in a request that is over, and not in `binding`.

    Args:
        standing: What is looked at.
        binding: The request that asks.
        afterwards: Whether what is asked for was said in a block that was opened when that request was over.
    """
    other = standing.binding
    return other is not None and other is not binding and other.over and not afterwards


def _baggage_says(carried: object, otherwise: State) -> tuple[State, str | None]:
    value = carried.get(TENANT_ID) if isinstance(carried, dict) else None
    if value is None:
        return otherwise, None
    if not is_tenant(value):
        notices.say(
            "tenant:baggage",
            logging.WARNING,
            f"The baggage entry {TENANT_ID} holds {reprlib.repr(value)}, which cannot be a tenant id, so it is ignored. "
            "Set the tenant with tracium.set_tenant(), which says what is wrong where it happens.",
        )
        return otherwise, None
    return State.SET, check_tenant(value)


def write(  # noqa: PLR0913, PLR0917 - a plain record, and what goes with it
    context: Context,
    state: State,
    tenant: str | None,
    binding: Binding | None,
    scope: Block | None,
    more: Mapping[str, object] = _NO_MORE,
    *,
    afterwards: bool = False,
    people: Mapping[str, Said] | None = None,
) -> Context:
    """A copy of `context` that says this, and has these values; the baggage keeps its other entries."""
    carried = context.get(BAGGAGE)
    entries = carried.copy() if isinstance(carried, dict) else {}
    if tenant is not None:
        entries[TENANT_ID] = tenant
    else:
        entries.pop(TENANT_ID, None)
    values = {**context, **more} if more else context.copy()
    values[BAGGAGE] = entries
    values[STANDING] = Standing(state, tenant, entries, binding, context.get(SPAN), scope, afterwards, people)
    return Context(values)


def write_people(
    context: Context, binding: Binding | None, scope: Block | None, people: Mapping[str, Said] | None
) -> Context:
    """A copy of `context` that says this about user and session, and about the tenant what it said."""
    state, tenant = said_in(context, binding)
    afterwards = said_afterwards(context, binding)
    values = context.copy()
    values[STANDING] = Standing(
        state, tenant, context.get(BAGGAGE), binding, context.get(SPAN), scope, afterwards, people
    )
    return Context(values)


def current_tenant(context: Context) -> str | None:
    """The tenant that code running in `context` works for: `tracium.get_current_tenant()`."""
    binding = binding_in(context)
    state, tenant = said_in(context, binding)
    if state is State.SET:
        return tenant
    if state is not State.NOT_SET or binding is None or binding.mixed:
        return None
    return binding.tenant


def recorded_tenant(context: Context, binding: Binding | None, default: str | None) -> tuple[str | None, bool]:
    """The tenant of telemetry that begins in `context` and belongs to `binding`, and whether it is only the default.

    It differs from `current_tenant` after a clear: the request's spans, logs and metrics keep its binding.
    """
    state, tenant = said_in(context, binding)
    if state is State.SET:
        return tenant, False
    if state is State.NONE or (binding is not None and binding.mixed):
        return None, False
    if binding is not None:
        if binding.tenant is not None:
            return binding.tenant, False
        if binding.default is not None:
            return binding.default, True
    return default, default is not None


def inherited_tenant(context: Context) -> str | None:
    """The tenant with which a request arrives that begins in `context`: nothing of a request that is over."""
    outer = binding_in(context)
    if outer is not None and outer.over:
        standing = standing_in(context)
        if standing is None or not standing.afterwards:
            return None
    return current_tenant(context)


def begin_request(context: Context, binding: Binding, **more: object) -> Context:
    """`context` at the beginning of the request `binding`: whatever tenant was there is not the request's.

    Args:
        context: What holds around the request.
        binding: The request's own.
        more: Further values of the context, by their keys.
    """
    return write(context, State.NOT_SET, None, binding, None, more)


def unknown_span_in(context: Context) -> Span | None:
    """The context's span if nothing but this tells that it is not the span of a request that begins here.

    The SDK's spans have their places; those of other vendors have none.
    """
    above = span_in(context)
    return above if above is not None and above.is_recording() and place_of(above) is None else None


def span_in(context: Context) -> Span | None:
    """The context's span, as it stands there."""
    span: Any = context.get(SPAN)
    return span  # type: ignore[no-any-return] # a context's values are objects; this key is OpenTelemetry's
