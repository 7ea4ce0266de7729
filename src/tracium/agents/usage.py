"""Usage that belongs to no span of a model call: it gets one, because only model calls are summed."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.trace import set_span_in_context

from tracium.agents.operations import CHAT
from tracium.agents.plan import span_name
from tracium.agents.tracer import tracer
from tracium.attributes import (
    GEN_AI_OPERATION,
    GEN_AI_PROVIDER,
    GEN_AI_REQUEST_MODEL,
    SESSION_ID,
    TENANT_ID,
    USAGE_RECORDED,
    USER_ID,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a model call.

    Attributes:
        model_id: The model, if it is known.
        provider: Its provider, if it is known.
        usage: Attributes and counts.
    """

    model_id: str | None
    provider: str | None
    usage: Mapping[str, int]


class ToldCall:
    """The model call for usage that was told on something else, below whose span it is.

    Its span is open from the first count on: so it is sent also where the process ends before the other does. There is no
    lock: threads and handlers of signals may tell at once. Whoever takes the span out ends it.

    Args:
        above: The span that the usage was told on, which is still open.
        moment: Its time in nanoseconds since 1970; now unless given.
    """

    def __init__(self, above: Span, moment: int | None) -> None:
        self._above = above
        # Nobody knows how long it took.
        self._moment = time.time_ns() if moment is None else moment
        self._open: deque[Span] = deque()

    def begin(self, told: Told, before: Context | None) -> None:
        """Start its span; `before` is the context around the other span."""
        name, context = span_name(CHAT, told.model_id), set_span_in_context(self._above, before)
        attributes = {GEN_AI_OPERATION: CHAT.name, **self._attributes(told)}
        self._open.append(tracer().start_span(name, context, CHAT.kind, attributes, start_time=self._moment))

    def tell(self, told: Told) -> None:
        """Note what is known by now."""
        for span in tuple(self._open):
            span.set_attributes(self._attributes(told))

    def end(self, told: Told) -> None:
        """End its span, once, with what is known at last. One that is being started is ended by who starts it."""
        try:
            span = self._open.pop()
        except IndexError:
            return
        if told.model_id is not None:
            span.update_name(span_name(CHAT, told.model_id))
        span.set_attributes(self._attributes(told))
        span.end(self._moment)

    def _attributes(self, told: Told) -> dict[str, AttributeValue]:
        """It has the other's tenant, user and session, whatever holds in the context in which that ends."""
        whose = getattr(self._above, "attributes", None) or {}
        known = {
            GEN_AI_REQUEST_MODEL: told.model_id,
            GEN_AI_PROVIDER: told.provider,
            **{key: whose.get(key) for key in (TENANT_ID, USER_ID, SESSION_ID)},
        }
        # It must not count as a call without duration.
        return {USAGE_RECORDED: True, **{key: value for key, value in known.items() if value}, **told.usage}
