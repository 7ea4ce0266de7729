"""One call of a model through LiteLLM, from its request to its answer's end."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context, create_key
from opentelemetry.util.genai.invocation import CLIENT_EMBEDDING_CONTEXT_KEY, CLIENT_INFERENCE_CONTEXT_KEY

from tracium.attributes import USAGE_ELSEWHERE
from tracium.faults import contained
from tracium.models.litellm import answer
from tracium.models.litellm.usage import Usage

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from opentelemetry.util.genai.handler import TelemetryHandler

    from tracium.models.litellm.request import Request

KEY: Final = create_key("tracium-litellm-call")
"""Where a context has the call that it is inside."""

# Where it has what suppresses other instrumentations' spans inside.
_MARKS: Final = (CLIENT_INFERENCE_CONTEXT_KEY, CLIENT_EMBEDDING_CONTEXT_KEY)


class Call:
    """A call that an app made.

    LiteLLM calls itself: for retries and fallbacks, to serve one interface by another, and for further rounds with the
    results of tools that it ran. All of that is this call.

    Attributes:
        request: What was asked.
        around: The context that the app called in.
        captures: Whether what was said is recorded.
        over: Whether it has ended.
        invocation: What makes the span and the metrics.
    """

    def __init__(self, request: Request, handler: TelemetryHandler, around: Context) -> None:
        self.request = request
        self.around = around
        self.captures = handler.should_capture_content()
        self.over = False
        self.invocation: Any = request.begin(handler, Context({**around, KEY: self}))
        self._marks = {key: self.invocation.context.get(key) for key in _MARKS}
        # What the answers have used that LiteLLM got by calling itself, by their ids.
        self._inside: dict[object, Usage] = {}

    def note(self, result: Any) -> None:
        """LiteLLM called itself, and got this."""
        if answer.is_stream(result) or answer.is_cached(result):
            return
        usage = answer.usage_of(result, self.request)
        if usage is not None:
            # One function of LiteLLM's hands the other's answer on: that is the same one.
            self._inside[getattr(result, "id", None) or id(result)] = usage

    def suspend(self) -> None:
        """The app goes on, while the call does."""
        self.invocation.suspend()

    def activate(self) -> AbstractContextManager[None]:
        """The call goes on."""
        if self.over or not self.invocation._suspended:  # noqa: SLF001 - as the library's own streams ask
            return nullcontext()
        active: AbstractContextManager[None] = self.invocation.activate()
        return active

    def stop(self, told: answer.Answer) -> None:
        """It has ended with an answer, or with as much of one as the app wanted."""
        if not self.over:
            self._write(told)
            with contained("ending a call of LiteLLM"):
                self.invocation.stop()
            self._let_go()

    def fail(self, error: BaseException, told: answer.Answer | None = None) -> None:
        """It has ended with an error, and perhaps with a part of an answer before."""
        if not self.over:
            if told is not None:
                self._write(told)
            with contained("ending a call of LiteLLM"):
                self.invocation.fail(error)
            self._let_go()

    def _write(self, told: answer.Answer) -> None:
        with contained("recording a call of LiteLLM"):
            if told.cached:
                # LiteLLM gave an answer again that was counted when it came.
                self.invocation.attributes[USAGE_ELSEWHERE] = True
            elif len(self._inside) > 1:
                rounds = sum(self._inside.values(), Usage())
                told.usage = rounds if told.usage is None else told.usage.at_least(rounds)
            told.onto(self.invocation, self.request, captures=self.captures)

    def _let_go(self) -> None:
        """Keep nothing of what was said: contexts of tasks that began inside know this call as long as they last."""
        self.over = True
        self.invocation = None
        self.request = replace(self.request, arguments={})
        self._inside.clear()

    def without_marks(self, context: Context) -> Context:
        """`context`, without what says that it is inside this call."""
        marks = {**self._marks, KEY: self}
        return Context({key: value for key, value in context.items() if key not in marks or value is not marks[key]})


def call_of(context: Context) -> Call | None:
    """The call that a context began inside, which may have ended."""
    call: Any = context.get(KEY)
    return call if isinstance(call, Call) else None


def call_in(context: Context) -> Call | None:
    """The call that a context is inside, if it goes on."""
    call = call_of(context)
    return None if call is None or call.over else call
