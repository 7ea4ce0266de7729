"""A request and whom it belongs to.

A request is the nearest SERVER span, or CONSUMER span that processes one message, with all that runs below it. Its
`Binding` begins with it in the OpenTelemetry context, so that it is there also when nothing is sampled; the spans of
the request only point to it.
"""

from __future__ import annotations

import enum
import threading
import weakref
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import Span, SpanKind

from tracium.attributes import MESSAGING_BATCH_COUNT, MESSAGING_OPERATION_DEPRECATED, MESSAGING_OPERATION_TYPE
from tracium.forks import in_children

if TYPE_CHECKING:
    from collections.abc import Mapping

# Operations on messages that are not the processing of one message:
# https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#operation-types
_FETCHING: Final = frozenset({"receive", "poll", "settle"})


class Bound(enum.Enum):
    """How a binding took a tenant, user or session."""

    FIRST = enum.auto()
    SAME = enum.auto()
    MIXED = enum.auto()


# One for all: it is held for a moment only, and a child process that is forked in that moment gets a new one.
_lock = threading.Lock()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - whoever held it is not in this process
    _lock = threading.Lock()


in_children(_renew_lock)


class Binding:
    """Whom one request belongs to; made when the request begins, shared by all its contexts.

    Attributes:
        tenant: The first tenant that was set in the request, or None.
        mixed: Whether a second, other one was set. From then on nothing falls back to `tenant`, nor to `people`.
        people: The first user and session of that tenant that were set in the request, by their attributes; None under
            one of them when a second, other one was set. The mapping never changes, another one takes its place.
        default: The tenant of the request's telemetry as long as it has none, before the configured default; or None.
        above: The span that the request began under, if that is not known to be outside it by its place.
    """

    __slots__ = ("__weakref__", "_entry", "above", "default", "mixed", "people", "tenant")

    def __init__(self, above: Span | None = None) -> None:
        self.above = above
        self.tenant: str | None = None
        self.mixed = False
        self.people: Mapping[str, str | None] | None = None
        self.default: str | None = None
        self._entry: weakref.ref[Span] | None = None

    def bind(self, tenant: str) -> Bound:
        """Bind the request to `tenant` if it has none yet; tell what became of it."""
        with _lock:
            if self.tenant is None:
                self.tenant = tenant
                return Bound.FIRST
            if self.tenant == tenant:
                return Bound.SAME
            self.mixed = True
            return Bound.MIXED

    def bind_person(self, attribute: str, value: str) -> Bound:
        """Let the user or session of `attribute` be the request's if it has none yet; tell what became of it."""
        with _lock:
            people = self.people or {}
            if attribute not in people:
                self.people = {**people, attribute: value}
                return Bound.FIRST
            if people[attribute] == value:
                return Bound.SAME
            self.people = {**people, attribute: None}
            return Bound.MIXED

    def claim(self, span: Span) -> bool:
        """Take `span` as the request's own span, unless another one is it already."""
        with _lock:
            if self._entry is not None:
                return False
            self._entry = weakref.ref(span)
            return True

    @property
    def claimed(self) -> bool:
        """Whether the request ever had a span that was told to us."""
        return self._entry is not None

    @property
    def entry(self) -> Span | None:
        """The request's own span while it is recording."""
        span = None if self._entry is None else self._entry()
        return span if span is not None and span.is_recording() else None

    @property
    def over(self) -> bool:
        """Whether the request's own span has ended. A request that records nothing is never known to be over."""
        return self._entry is not None and self.entry is None


class Place:
    """Where a recording span stands: in which request, under which span, and whether a default marked it.

    It is hung on the span object itself, and never on a span that does not record: those are shared.

    Attributes:
        binding: The request, or None.
        parent: The span above, where a tenant that is set later has to find it; else None.
        above: The same for a user or session that is set later, where the tenant was known already.
        by_default: Whether a default marked the span.
    """

    __slots__ = ("above", "binding", "by_default", "parent")

    def __init__(
        self,
        binding: Binding | None,
        parent: Span | None,
        above: weakref.ref[Span] | None = None,
        *,
        by_default: bool = False,
    ) -> None:
        self.binding = binding
        self.parent = parent
        self.above = above
        self.by_default = by_default

    @property
    def next(self) -> Span | None:
        """The span above, as far as it is known and there."""
        if self.parent is not None or self.above is None:
            return self.parent
        return self.above()


def place_below(binding: Binding | None, span: object) -> Place:
    """A place in `binding`, whose tenant is known, under `span`, which is not kept alive by it."""
    try:
        return Place(binding, None, weakref.ref(span))  # type: ignore[arg-type] # what is no span is refused
    except TypeError:
        # There is none, or it takes no weak references. The request's own span is found in any case.
        return Place(binding, None)


PLACE: Final = "_tracium_place"


def place_of(span: object) -> Place | None:
    """The place that was hung on `span`, if any."""
    return getattr(span, PLACE, None)


def put_place(span: Span, place: Place) -> None:
    """Hang `place` on a recording span."""
    setattr(span, PLACE, place)


def open_ancestor(span: Span | None) -> Span | None:
    """The nearest of `span` and the spans above it that is still recording.

    Links to spans that have ended are shortened on the way, so that a chain of spans in which each begins under the
    one before does not keep all of them alive.
    """
    while span is not None and not span.is_recording():
        place = place_of(span)
        span = None if place is None else place.parent
    if span is not None:
        place = place_of(span)
        if place is not None and place.parent is not None and not place.parent.is_recording():
            place.parent = open_ancestor(place.parent)
    return span


def begins_request(kind: SpanKind, attributes: Mapping[str, object] | None) -> bool:
    """Whether a span of this kind, with these attributes at its start, is a request's own span."""
    return kind is SpanKind.SERVER or (kind is SpanKind.CONSUMER and not fetches_messages(kind, attributes))


def fetches_messages(kind: SpanKind, attributes: Mapping[str, object] | None) -> bool:
    """Whether it is a receive, poll or many-message span: it belongs to no tenant and is never marked."""
    if kind is not SpanKind.CONSUMER or not attributes:
        return False
    operation = attributes.get(MESSAGING_OPERATION_TYPE) or attributes.get(MESSAGING_OPERATION_DEPRECATED)
    if operation in _FETCHING:
        return True
    count = attributes.get(MESSAGING_BATCH_COUNT)
    return isinstance(count, int) and count > 1
