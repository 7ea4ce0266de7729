"""A context whose span is replaced by another identity, without leaving the request that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import NonRecordingSpan, set_span_in_context

from tracium.tenancy.request import place_of, put_place
from tracium.tenancy.standing import span_in

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext


def below(parent: SpanContext, context: Context) -> Context:
    """`context` with `parent` instead of its span, so that spans begin below that; the invalid one for roots of traces."""
    stand_in = NonRecordingSpan(parent)
    place = place_of(span_in(context))
    if place is not None:
        # It is this context's own object: other spans that do not record are shared.
        put_place(stand_in, place)
    return set_span_in_context(stand_in, context)
