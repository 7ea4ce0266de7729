"""Which spans describe one model call: it counts once, on the span that is nearest to the model.

A client library, an instrumentation and a framework may each make a span for one call: one inside the other, or one
beside the other with the id of the same response. One of them keeps the usage; the others say that it is elsewhere.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import StatusCode

from tracium.attributes import (
    ABANDONED,
    GEN_AI_REQUEST_STREAM,
    GEN_AI_RESPONSE_ID,
    USAGE_ELSEWHERE,
    USAGE_RECORDED,
    USAGE_UNKNOWN,
)
from tracium.signals.genai.usage import Kind, answered, kind_of, totals, usage_keys

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

CALL: Final = "_tracium_call"
"""Attribute of a recording span's object: the innermost model call that it is, or is a part of."""

# What OpenTelemetry's instrumentations say of a stream that was thrown away before its end.
_ABANDONED: Final = "abandoned stream"
# Responses whose usage was counted, remembered for the spans that others make of them afterwards.
_REMEMBERED: Final = 10_000


class Call:
    """A span that describes a model call, or may turn out to.

    Attributes:
        span_id: Of the span.
        kind: As far as it was known at the span's start.
        outer: The call that this is a part of, if any.
        counted: Kinds of calls inside it that have told their usage.
        owed: Kinds of calls inside it that were answered and have not told theirs.
        told: The kind of call that it has told the usage of, if it has.
        inside: The calls directly inside it, as long as its span is open.
        over: Whether its span has ended.
    """

    __slots__ = ("counted", "inside", "kind", "outer", "over", "owed", "span_id", "told")

    def __init__(self, span_id: int, kind: Kind | None, outer: Call | None) -> None:
        self.span_id = span_id
        self.kind = kind
        self.outer = outer
        # Calls inside end in whatever threads: each change of these is one step.
        self.counted: set[Kind] = set()
        self.owed: set[Kind] = set()
        self.inside: set[Call] = set()
        if outer is not None:
            outer.inside.add(self)
        self.told: Kind | None = None
        self.over = False

    @property
    def around(self) -> Iterator[Call]:
        """The calls that this is a part of, innermost first."""
        outer = self.outer
        while outer is not None:
            yield outer
            outer = outer.outer

    def tell(self, kind: Kind) -> None:
        """Note that it has told its usage, and let all calls around it know."""
        self.told = kind
        for outer in self.around:
            outer.counted.add(kind)

    def owe(self, kind: Kind) -> None:
        """Let all calls around it know that its usage is not told, and that it counts on them."""
        for outer in self.around:
            outer.owed.add(kind)

    def settle_debt(self, kind: Kind) -> bool:
        """Take over what calls inside it owe; tell whether they owe anything."""
        owes = kind in self.owed
        if owes:
            for outer in self.around:
                outer.owed.discard(kind)
        return owes

    def end(self) -> None:
        """Its span has ended."""
        self.over = True
        self.inside.clear()
        if self.outer is not None:
            self.outer.inside.discard(self)

    def goes_on(self, kind: Kind) -> bool:
        """Whether a call of this kind inside it is open: a stream that outlives the step that began it."""
        return any((inner.kind is kind and not inner.over) or inner.goes_on(kind) for inner in tuple(self.inside))

    def is_told(self, kind: Kind) -> bool:
        """Whether a call inside this one, or around it, has told the usage."""
        return kind in self.counted or any(outer.told is kind for outer in self.around)

    def is_awaited(self, kind: Kind) -> bool:
        """Whether a call around this one describes the same, and may still tell its usage."""
        return any(outer.kind is kind and not outer.over for outer in self.around)


def nearest(call: Call | None) -> Call | None:
    """The innermost of `call` and those around it that is not over: what begins after a call's end is no part of it."""
    while call is not None and call.over:
        call = call.outer
    return call


class _Responses:
    """Responses that were counted; the oldest are forgotten.

    There is no lock: a signal's handler may come here while the thread that it interrupts is here.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[Hashable, int] = OrderedDict()

    def is_first(self, response: Hashable, span_id: int) -> bool:
        # A span may come twice: it is sent when the process ends, and ends by itself while that goes on.
        first = self._seen.setdefault(response, span_id) == span_id
        if len(self._seen) > _REMEMBERED:
            with suppress(KeyError):
                self._seen.popitem(last=False)
        return first


_responses: Final = _Responses()


def settle(span: Any, call: Call | None, values: dict[str, Any], *, cut_short: bool = False) -> None:
    """Let the usage of a call that ends be counted once: keep it, say that it is elsewhere, or that it is unknown.

    Args:
        span: The span that ends.
        call: What is known of it as a call; None if it did not look like one at its start.
        values: Its attributes, which are changed.
        cut_short: Whether nobody ended it, so that what it has may not be all.
    """
    kind = kind_of(values)
    if kind is None or USAGE_ELSEWHERE in values:
        return
    if USAGE_RECORDED in values:
        if call is not None:
            call.tell(kind)
        return
    if span.status.description == _ABANDONED:
        values[ABANDONED] = True
    known = usage_keys(values)
    told = call is not None and call.is_told(kind)
    if known and (told or not _is_first(span, values)):
        for key in known:
            del values[key]
        _leave_to_others(call, kind, values)
    elif known:
        if call is not None:
            call.tell(kind)
        if cut_short or _is_part(span, kind, values):
            values[USAGE_UNKNOWN] = True
    else:
        used = cut_short or answered(values) or not _failed(span)
        _settle_untold(call, kind, values, told=told, used=used)


def _settle_untold(call: Call | None, kind: Kind, values: dict[str, Any], *, told: bool, used: bool) -> None:
    """Settle a call that has not told its usage itself."""
    if told or (call is not None and (call.is_awaited(kind) or call.goes_on(kind))):
        if used and not told and call is not None:
            call.owe(kind)
        _leave_to_others(call, kind, values)
    elif used:
        values[USAGE_UNKNOWN] = True


def _leave_to_others(call: Call | None, kind: Kind, values: dict[str, Any]) -> None:
    """Say that the usage is told elsewhere, or, where a call inside has told its own and another one owes it, that more is unknown."""
    owes = call is not None and kind in call.counted and call.settle_debt(kind)
    values[USAGE_UNKNOWN if owes else USAGE_ELSEWHERE] = True


def is_told_inside(span: object) -> bool:
    """Whether the call that `span` describes was told by a span inside it already (for metrics: they count once too)."""
    call: Call | None = getattr(span, CALL, None)
    context: Any = getattr(span, "context", None)
    if call is None or context is None or call.span_id != context.span_id:
        return False
    return call.kind is not None and call.kind in call.counted


def _is_first(span: Any, values: dict[str, Any]) -> bool:
    response = values.get(GEN_AI_RESPONSE_ID)
    if not isinstance(response, str) or not response:
        return True
    # The counts too: some servers give the same few ids again and again.
    return _responses.is_first((span.context.trace_id, response, *map(str, totals(values))), span.context.span_id)


def _failed(span: Any) -> bool:
    return span.status.status_code is StatusCode.ERROR


def _is_part(span: Any, kind: Kind, values: dict[str, Any]) -> bool:
    """Whether what a call has told is not all: its stream ended before its end, or it has told one side only."""
    if kind is Kind.INFERENCE and None in totals(values):
        return True
    return bool(values.get(GEN_AI_REQUEST_STREAM)) and _failed(span)
