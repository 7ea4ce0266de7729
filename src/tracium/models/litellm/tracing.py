"""LiteLLM's functions, each with a call around it."""

from __future__ import annotations

import functools
import inspect
from importlib import metadata
from typing import TYPE_CHECKING, Any, ClassVar, Final

from opentelemetry.context import attach, get_current
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.util.genai.completion_hook import load_completion_hook
from opentelemetry.util.genai.handler import TelemetryHandler

from tracium.faults import contained, fault
from tracium.models.litellm import answer
from tracium.models.litellm.call import Call, call_in, call_of
from tracium.models.litellm.request import Request
from tracium.models.litellm.stream import stream_of
from tracium.tenancy.block import here

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import MeterProvider

_SCOPE: Final = "tracium.models.litellm"


class CallTracer:
    """Makes functions of LiteLLM's record their calls.

    Args:
        meter_provider: Where the metrics go; the global one unless given.
    """

    MARK: ClassVar[str] = "_tracium_traced"

    def __init__(self, meter_provider: MeterProvider | None = None) -> None:
        self._handler = TelemetryHandler(
            meter_provider=meter_provider,
            completion_hook=load_completion_hook(),
            instrumentation_scope_name=_SCOPE,
            instrumentation_scope_version=metadata.version("tracium"),
        )

    def around(self, function: Callable[..., Any], name: str, first: tuple[str, ...]) -> Callable[..., Any]:
        """A synchronous function, with its calls recorded. It is a plain function: apps pickle it by its name.

        Args:
            function: LiteLLM's.
            name: Of what it does, without the "a" of the asynchronous ones.
            first: The names of its first arguments.
        """

        @functools.wraps(function)
        def traced(*args: Any, **kwargs: Any) -> Any:
            outer = call_in(get_current())
            if outer is not None and outer.request.embeds == (name == "embedding"):
                return self._inside(outer, function(*args, **kwargs))
            call = self._begin(name, first, args, kwargs)
            if call is None:
                return function(*args, **kwargs)
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                call.fail(error)
                raise
            if inspect.iscoroutine(result):
                with contained("leaving a call of LiteLLM"):
                    call.suspend()
                return self._later(call, result)
            return self._end(call, result)

        setattr(traced, self.MARK, True)
        return traced

    def around_async(self, function: Callable[..., Any], name: str, first: tuple[str, ...]) -> Callable[..., Any]:
        """The same for an asynchronous function."""

        @functools.wraps(function)
        async def traced(*args: Any, **kwargs: Any) -> Any:
            outer = call_in(get_current())
            if outer is not None and outer.request.embeds == (name == "embedding"):
                return self._inside(outer, await function(*args, **kwargs))
            call = self._begin(name, first, args, kwargs)
            if call is None:
                return await function(*args, **kwargs)
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                call.fail(error)
                raise
            return self._end(call, result)

        setattr(traced, self.MARK, True)
        return traced

    def _begin(self, name: str, first: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Begin to record a call; None if it is not recorded."""
        before = get_current()
        try:
            if not is_instrumentation_enabled():
                return None
            if kwargs.get("fallbacks"):
                # LiteLLM calls itself for each model that it tries, and each is a call of its own: of another provider even.
                return None
            return self._begun(Request.of(name, first, args, kwargs))
        except Exception as error:  # noqa: BLE001 - the call is made all the same
            if get_current() is not before:
                attach(before)
            fault("beginning to record a call of LiteLLM", error)
            return None

    def _begun(self, request: Request) -> Call:
        around = here()
        last = call_of(around)
        if last is not None and last.over:
            # Something that began inside a call goes on after it: a task, or a thread.
            around = last.without_marks(around)
        call = Call(request, self._handler, around)
        request.onto(call.invocation, captures=call.captures)
        return call

    def _inside(self, outer: Call, result: Any) -> Any:
        """LiteLLM has called itself."""
        with contained("noting a part of a call of LiteLLM"):
            if not inspect.iscoroutine(result):
                outer.note(result)
        return result

    def _end(self, call: Call, result: Any) -> Any:
        """The function is through: with the answer, or with a stream that will bring it."""
        try:
            if answer.is_stream(result):
                stream = stream_of(result, call)
                call.suspend()
                return stream
            told = answer.of(result, call.request, captures=call.captures)
        except Exception as error:  # noqa: BLE001 - the app gets what LiteLLM gave
            fault("reading an answer of LiteLLM", error)
            told = answer.Answer()
        call.stop(told)
        return result

    async def _later(self, call: Call, coroutine: Any) -> Any:
        """The coroutine that a synchronous function gave (`completion(…, acompletion=True)`)."""
        with call.activate():
            try:
                result = await coroutine
            except BaseException as error:
                call.fail(error)
                raise
            return self._end(call, result)
