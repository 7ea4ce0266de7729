"""Spans of model calls that nobody ends: their streams were thrown away, or are open when the process ends.

An instrumentation ends the span of a stream when the stream ends. If that never happens, the span would be lost with
the usage that it knows. So what a span is made of is kept beside it, and made into an ended span when the span object
is gone.
"""

from __future__ import annotations

import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan

from tracium.attributes import ABANDONED
from tracium.forks import in_children

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import Span

    from tracium.signals.genai.call import Call


class Parts:
    """What a span is made of, without the span.

    Attributes:
        call: What is known of it as a model call.
        values: Its attributes.
    """

    def __init__(self, span: Span, call: Call) -> None:
        self.call = call
        self.values: dict[str, Any] = span._attributes._dict  # type: ignore[union-attr] # noqa: SLF001
        self._made_of = {
            "name": span.name,
            "context": span.context,
            "parent": span.parent,
            "resource": span.resource,
            "attributes": span._attributes,  # noqa: SLF001 - the object itself, which goes on changing
            "events": span._events,  # noqa: SLF001
            "links": span._links,  # noqa: SLF001
            "kind": span.kind,
            "start_time": span.start_time,
            "instrumentation_scope": span.instrumentation_scope,
        }
        self._end: Callable[[ReadableSpan], None] = span._span_processor.on_end  # noqa: SLF001

    def readable(self) -> ReadableSpan:
        """The span as it ends now."""
        self.values[ABANDONED] = True
        return ReadableSpan(**self._made_of, end_time=time.time_ns())

    def end(self, span: ReadableSpan) -> None:
        """Hand the ended span to those who take ended spans."""
        self._end(span)


class OpenCalls:
    """The model calls whose spans have not ended."""

    def __init__(self) -> None:
        self._open: dict[int, weakref.finalize[Any, Any]] = {}
        # Filled wherever an object dies, which may be inside any lock; emptied where it is safe.
        self.gone: deque[Parts] = deque()
        in_children(self._begin_anew)

    def _begin_anew(self) -> None:
        """What is open in the parent of a forked process is the parent's."""
        for finalizer in list(self._open.values()):
            finalizer.detach()
        self._open.clear()
        self.gone.clear()

    def begin(self, span: Span, call: Call) -> None:
        """Watch over a span that begins."""
        parts = Parts(span, call)
        finalizer = weakref.finalize(span, self._is_gone, call.span_id, parts)
        # At the end of the process `take_all` does it, while there is still somebody to send it.
        finalizer.atexit = False
        self._open[call.span_id] = finalizer

    def end(self, call: Call) -> None:
        """It has ended by itself."""
        finalizer = self._open.pop(call.span_id, None)
        if finalizer is not None:
            finalizer.detach()

    def take_all(self) -> None:
        """Give up on all that are still open."""
        for span_id in list(self._open):
            finalizer = self._open.pop(span_id, None)
            detached = None if finalizer is None else finalizer.detach()
            if detached is not None:
                self.gone.append(detached[2][1])

    def _is_gone(self, span_id: int, parts: Parts) -> None:
        self._open.pop(span_id, None)
        self.gone.append(parts)
