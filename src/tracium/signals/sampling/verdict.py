"""What was decided about a trace, and what becomes of its spans by that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, TraceState

from tracium.attributes import SAMPLED_REASON
from tracium.signals.sampling.reduction import is_charged, reduced
from tracium.signals.sampling.threshold import entry_in, with_threshold

if TYPE_CHECKING:
    from collections.abc import Collection

_ERROR: Final = "error"


class Verdict:
    """One decision, for all spans of a trace in this process.

    Attributes:
        kept: Whether its spans are exported.
        by_error: Whether that is only because one of them has an error.
    """

    __slots__ = ("_last", "_randomness", "_threshold", "_whole", "by_error", "kept")

    def __init__(self, threshold: int, randomness: int, *, whole: bool, by_error: bool = False) -> None:
        """Decide.

        Args:
            threshold: What the tenant's share asks for.
            randomness: The random bits of the trace.
            whole: Whether whoever sampled before kept all of its like, or says in the trace state how many.
            by_error: Whether a trace that misses the threshold is exported because it has an error.
        """
        self.by_error = by_error and randomness < threshold
        self.kept = self.by_error or randomness >= threshold
        self._threshold = threshold
        self._randomness = randomness
        self._whole = whole
        # Spans of a trace share their trace state.
        self._last: tuple[TraceState, TraceState] | None = None

    def in_error(self) -> Verdict:
        """The same decision for a trace that has an error and shall be exported for that."""
        return Verdict(self._threshold, self._randomness, whole=self._whole, by_error=True)

    def weighed(self, span: ReadableSpan) -> ReadableSpan:
        """A span of a trace that is kept, with its weight in the trace state."""
        context: Any = span._context  # noqa: SLF001 - the views that properties make are not needed here and below
        state = self._state(context.trace_state)
        if self.by_error:
            changed = _changed(span, _in_state(context, state))
            changed._attributes = _with_reason(span)  # noqa: SLF001
            return changed
        if state is context.trace_state:
            return span
        return _changed(span, _in_state(context, state))

    def remainder(self, span: ReadableSpan, also: Collection[str]) -> ReadableSpan | None:
        """What is exported of a span of a trace that is sampled out: a model call's usage.

        Args:
            span: The span.
            also: Names of attributes that it keeps, besides those that accounting needs.
        """
        values: Any = getattr(span._attributes, "_dict", span._attributes)  # noqa: SLF001
        if not values or not is_charged(values):
            return None
        context: Any = span._context  # noqa: SLF001
        return reduced(span, _in_state(context, with_threshold(context.trace_state, None)), also)

    def _state(self, incoming: TraceState) -> TraceState:
        last = self._last
        if last is None or last[0] is not incoming:
            last = (incoming, self._weight_in(incoming))
            self._last = last
        return last[1]

    def _weight_in(self, incoming: TraceState) -> TraceState:
        before = entry_in(incoming).threshold
        if self.by_error or (before is None and not self._whole):
            return with_threshold(incoming, None) if before is not None else incoming
        if before is None:
            return with_threshold(incoming, self._threshold)
        if before > self._randomness:
            # Whoever says so would have dropped it: nobody knows how many of its like there are.
            return with_threshold(incoming, None)
        return incoming if before >= self._threshold else with_threshold(incoming, self._threshold)


def _in_state(context: SpanContext, state: TraceState) -> SpanContext:
    trace_id, span_id, is_remote, flags, *_ = context
    return SpanContext(trace_id, span_id, is_remote, flags, state)


def _with_reason(span: ReadableSpan) -> BoundedAttributes:
    values = BoundedAttributes(attributes={**(span.attributes or {}), SAMPLED_REASON: _ERROR})
    values.dropped = span.dropped_attributes
    return values


def _changed(span: ReadableSpan, context: SpanContext) -> ReadableSpan:
    """A copy, because whoever else exports the span gets it as it is."""
    copy = ReadableSpan.__new__(ReadableSpan)
    # Twice as fast as the constructor, and it keeps what that does not take.
    copy.__dict__.update(span.__dict__)
    copy._context = context  # noqa: SLF001
    return copy
