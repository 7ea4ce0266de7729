"""Spans with ids that the app chose, in contexts that stay in the same request and with the same tenant."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, get_current_span

from tracium import notices
from tracium.agents.block import open_spans
from tracium.agents.tracer import tracer_with_ids
from tracium.tenancy.block import innermost
from tracium.tenancy.people import people_in
from tracium.tenancy.request import Place, open_ancestor, place_below, place_of, put_place
from tracium.tenancy.standing import SPAN, binding_in, said_in, span_in, standing_in, write

if TYPE_CHECKING:
    from opentelemetry.trace import Span


def start_with_ids(trace_id: int | None, span_id: int | None, **starting: Any) -> tuple[Span, bool]:
    """Start a span that has these ids; tell whether it has them.

    Args:
        trace_id: For a span without a parent.
        span_id: Its own.
        starting: Arguments of OpenTelemetry's `Tracer.start_span`.
    """
    with tracer_with_ids(trace_id, span_id) as (tracer, taken):
        span = tracer.start_span(**starting)
    if not taken and span.is_recording():
        notices.say(
            "agent:ids",
            logging.WARNING,
            "The tracer provider lets nobody choose ids, so a trace_id= or span_id= of an agent is not its span's id. A trace "
            "id that was wanted is the attribute tracium.trace.id. Use a provider of the OpenTelemetry SDK to have it.",
        )
    return span, taken


def parent_with_id(context: Context, span_id: int) -> Context:
    """`context` under the span with this id: an open one that is known, else one of the same trace."""
    for span in open_spans(context):
        if span.get_span_context().span_id == span_id:
            return under(span, context)
    around = get_current_span(context).get_span_context()
    if not around.is_valid or around.span_id == span_id:
        return context
    named = SpanContext(
        around.trace_id, span_id, is_remote=False, trace_flags=around.trace_flags, trace_state=around.trace_state
    )
    return under(NonRecordingSpan(named), context)


def under(span: Span, context: Context) -> Context:
    """`context` with `span` in it, which need not know the request and the tenant that the context belongs to."""
    standing, binding = standing_in(context), binding_in(context)
    state, tenant = said_in(context, binding)
    values = context.copy()
    values[SPAN] = span
    return write(
        Context(values),
        state,
        tenant,
        binding,
        innermost(context),
        afterwards=standing is not None and standing.afterwards,
        people=people_in(context, binding),
    )


def link_request(span: Span, around: Context) -> None:
    """Let whoever is set under `span`, the root of a trace of its own, mark the open spans around it too."""
    place, binding, above = place_of(span), binding_in(around), span_in(around)
    if place is None or binding is None or place.binding is not binding:
        return
    if binding.tenant is None:
        put_place(span, Place(binding, open_ancestor(above), by_default=place.by_default))
    else:
        put_place(span, place_below(binding, above))
