"""Spans of model calls: counted once, never without an end, and with no more content than is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from opentelemetry.context import get_current
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import SpanKind

from tracium.attributes import GEN_AI_OPERATION, OPENINFERENCE_KIND
from tracium.faults import contained, fault
from tracium.signals.genai.abandoned import OpenCalls
from tracium.signals.genai.call import CALL, Call, nearest, settle
from tracium.signals.genai.content import settle_span
from tracium.signals.genai.keys import all_plain
from tracium.signals.genai.policy import ContentPolicy
from tracium.signals.genai.usage import kind_of
from tracium.tenancy.standing import SPAN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

_LIMIT: Final = 32_768
# Instrumentation scopes whose spans may turn out to be model calls although they do not say so at their start.
_GENAI_SCOPES: Final = (
    "anthropic",
    "google_genai",
    "litellm",
    "openinference.",
    "opentelemetry.instrumentation.anthropic",
    "opentelemetry.instrumentation.bedrock",
    "opentelemetry.instrumentation.botocore",
    "opentelemetry.instrumentation.cohere",
    "opentelemetry.instrumentation.genai",
    "opentelemetry.instrumentation.google_genai",
    "opentelemetry.instrumentation.google_generativeai",
    "opentelemetry.instrumentation.groq",
    "opentelemetry.instrumentation.langchain",
    "opentelemetry.instrumentation.llamaindex",
    "opentelemetry.instrumentation.mistralai",
    "opentelemetry.instrumentation.ollama",
    "opentelemetry.instrumentation.openai",
    "opentelemetry.instrumentation.vertexai",
    "opentelemetry.util.genai",
)
_MANY_SCOPES: Final = 1000
# Inside these a call is another call, whatever is around them.
_APART: Final = frozenset({"execute_tool", "invoke_agent", "create_agent", "invoke_workflow"})


_processors: Final[WeakSet[GenAISpanProcessor]] = WeakSet()


def settles_content() -> bool:
    """Whether anything in this process settles what spans hold of prompts and answers: else they must not be recorded."""
    return bool(_processors)


class GenAISpanProcessor(SpanProcessor):
    """Settles the spans of model calls when they end, for whoever exports them.

    Attributes:
        policy: Whose prompts and answers may be recorded; nobody's unless given.
        redact: True for the built-in patterns, False for none, or a function from text to text.
        limit: Characters that the texts of one attribute may have together.
    """

    def __init__(
        self,
        policy: ContentPolicy | None = None,
        redact: bool | Callable[[str], str] = True,  # noqa: FBT001, FBT002 - the option, which may be a function too
        limit: int = _LIMIT,
    ) -> None:
        _processors.add(self)
        self.policy = ContentPolicy.of(None) if policy is None else policy
        self.redact = redact
        self.limit = limit
        # Whether spans of a scope may turn out to be model calls.
        self._scopes: dict[str, bool] = {}
        self._calls = OpenCalls()
        self._gone = self._calls.gone

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Note where a span stands among model calls; this runs inside the customer's request."""
        try:
            context = get_current() if parent_context is None else parent_context
            above: Any = context.get(SPAN)
            outer: Call | None = getattr(above, CALL, None)
            # The span's own fields, as in DirectMarking, which was tried out: properties make objects.
            scope: Any = span._instrumentation_scope  # noqa: SLF001
            values: Any = span._attributes._dict  # type: ignore[union-attr] # noqa: SLF001
            if (
                self._scopes.get(scope._name) is not False  # noqa: SLF001
                or GEN_AI_OPERATION in values
                or OPENINFERENCE_KIND in values
                or outer is not None
            ):
                self._place(span, values, nearest(outer), above)
            if self._gone:
                self.collect()
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            fault("looking at a span's place among model calls", error)

    def _on_ending(self, span: Span) -> None:
        try:
            call: Call | None = getattr(span, CALL, None)
            values: Any = span._attributes._dict  # type: ignore[union-attr] # noqa: SLF001
            if call is not None and span.context is not None and call.span_id == span.context.span_id:
                self._calls.end(call)
                settle(span, call, values)
                call.end()
            elif GEN_AI_OPERATION in values or OPENINFERENCE_KIND in values:
                settle(span, None, values)
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            self._settle_content(span)
            fault("settling the span of a model call", error)
        else:
            if span._events or span._links or not all_plain(values):  # noqa: SLF001
                self._settle_content(span)

    def collect(self) -> None:
        """Send the spans of calls that nobody will end."""
        while self._calls.gone:
            try:
                parts = self._calls.gone.popleft()
            except IndexError:
                return
            with contained("ending an abandoned model call"):
                span = parts.readable()
                try:
                    settle(span, parts.call, parts.values, cut_short=True)
                finally:
                    self._settle_content(span)
                parts.call.end()
                parts.end(span)

    def _settle_content(self, span: ReadableSpan) -> None:
        settle_span(span, self.policy, self.redact, self.limit)

    def give_up(self) -> None:
        """Send all calls that are still open: the process ends."""
        self._calls.take_all()
        self.collect()

    def shutdown(self) -> None:
        """Send what is open."""
        self.give_up()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the interface's
        """Send what nobody will end."""
        self.collect()
        return True

    def _place(self, span: Span, values: Mapping[str, Any], outer: Call | None, above: Span | None) -> None:
        if _stands_apart(span, values):
            return
        kind = kind_of(values)
        if span.context is not None and (kind is not None or self._may_call(span)):
            call = Call(span.context.span_id, kind, _around(above) if outer is None else outer)
            setattr(span, CALL, call)
            self._calls.begin(span, call)
        elif outer is not None:
            setattr(span, CALL, outer)

    def _may_call(self, span: Span) -> bool:
        """Whether spans of this scope may say later that they are calls."""
        scope = span.instrumentation_scope
        name = "" if scope is None else scope.name
        known = self._scopes.get(name)
        if known is None:
            known = name.startswith(_GENAI_SCOPES)
            if len(self._scopes) < _MANY_SCOPES:
                self._scopes[name] = known
        return known


def _around(above: Span | None) -> Call | None:
    """The span around a call as one that may turn out to describe it too: LiteLLM writes the call onto the app's span."""
    attributes = getattr(above, "_attributes", None)
    values = getattr(attributes, "_dict", None)
    if (
        above is None
        or values is None
        or above.context is None
        or not above.is_recording()
        or _stands_apart(above, values)
    ):
        return None
    call = Call(above.context.span_id, None, None)
    setattr(above, CALL, call)
    return call


def _stands_apart(span: Span, values: Mapping[str, Any]) -> bool:
    return span.kind is SpanKind.SERVER or span.kind is SpanKind.CONSUMER or str(values.get(GEN_AI_OPERATION)) in _APART
