"""The open spans of a request, which are marked when it turns out whom the request belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracium.tenancy.request import open_ancestor, place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span

    from tracium.tenancy.request import Binding


def mark_request(
    span: Span | None,
    binding: Binding,
    mark: Callable[[Span], None],
    *,
    known: bool = False,
) -> None:
    """Mark the open spans from the current one up to the request's own, and that one in any case.

    Args:
        span: The current span, if any.
        binding: The request.
        mark: Marks one open span.
        known: Whether the tenant was known before: then spans that had it at once are among those to be marked.
    """
    nearest = _nearest_open if known else open_ancestor
    entry = binding.entry
    open_span = nearest(span)
    if (
        not binding.claimed
        and span is not None
        and open_span is span
        and place_of(span) is None
        and span is not binding.above
    ):
        # Another vendor's span: nobody could tell where it stands, but it began in this request.
        mark(span)
        return
    while open_span is not None and open_span is not entry:
        place = place_of(open_span)
        if place is None or place.binding is not binding:
            break
        mark(open_span)
        open_span = nearest(place.next if known else place.parent)
    if entry is not None:
        mark(entry)


def _nearest_open(span: Span | None) -> Span | None:
    """The nearest of `span` and the spans above it that is still recording."""
    while span is not None and not span.is_recording():
        place = place_of(span)
        span = None if place is None else place.next
    return span
