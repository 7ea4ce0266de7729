"""An answer that comes piece by piece: the call ends with it, however it ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry.util.genai.stream import AsyncStreamWrapper, SyncStreamWrapper

from tracium.faults import contained, fault
from tracium.models.litellm import messages
from tracium.models.litellm.answer import Answer, is_cached, of
from tracium.models.litellm.usage import counts_itself, told_by_pieces

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import TracebackType

    from tracium.models.litellm.call import Call

# Where LiteLLM's streams have those that they are made of; the innermost keeps what the provider sent.
_INNER: Final = ("completion_stream", "litellm_custom_stream_wrapper")
_DEPTH: Final = 4
# The last events of the Responses interface; each has the whole answer.
_LAST: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})


class _Recording:
    """What the streams of both kinds do to record the call."""

    # Of LiteLLM, and which call it answers. The names are wrapt's for what is a proxy's own.
    _self_stream: Any
    _self_call: Call
    _self_heard: Heard
    _self_invocation: Any

    def _execution_context(self) -> AbstractContextManager[None]:
        return self._self_call.activate()

    def _process_chunk(self, chunk: Any) -> None:
        with contained("reading a stream of LiteLLM"):
            self._self_heard.take(chunk)

    def _on_stream_end(self) -> None:
        self._self_call.stop(self._told(cut_short=False))

    def _on_stream_error(self, error: BaseException) -> None:
        if sys.is_finalizing():
            # The process has ended, and its open calls with it; what is let go only now cannot be recorded.
            return
        self._self_call.fail(error, self._told(cut_short=True))

    def _told(self, *, cut_short: bool) -> Answer:
        try:
            return self._self_heard.answer(self._self_stream, self._self_call, cut_short=cut_short)
        except Exception as error:  # noqa: BLE001 - the stream ends as it does
            fault("reading a stream of LiteLLM", error)
            return Answer()


class Stream(_Recording, SyncStreamWrapper[Any]):
    """A stream that is read with `for`; it stands for LiteLLM's, and is an instance of its class."""

    def __init__(self, stream: Any, call: Call) -> None:
        self._self_call = call
        self._self_heard = Heard()
        super().__init__(stream, invocation=call.invocation)

    def close(self) -> None:
        """Close it, which ends the call; not all of LiteLLM's streams can be closed."""
        if hasattr(self._self_stream, "close"):
            super().close()
        else:
            self._finalize_success()


class DualStream(Stream):
    """A stream that may be read with `async for` too, as most of LiteLLM's may."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        with self._execution_context():
            try:
                chunk = await self._self_stream.__anext__()
            except StopAsyncIteration:
                self._finalize_success()
                raise
            except BaseException as error:
                self._finalize_failure(error)
                raise
            self._process_chunk(chunk)
            with contained("timing a stream of LiteLLM"):
                self._self_invocation.record_stream_chunk()
            return chunk

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._finalize_failure(error)
        await self.aclose()

    async def aclose(self) -> None:
        """Close it, which ends the call."""
        with self._execution_context():
            try:
                if hasattr(self._self_stream, "aclose"):
                    await self._self_stream.aclose()
            except BaseException as error:
                self._finalize_failure(error)
                raise
            self._finalize_success()


class AsyncStream(_Recording, AsyncStreamWrapper[Any]):
    """A stream that is read with `async for`; it stands for LiteLLM's, and is an instance of its class."""

    def __init__(self, stream: Any, call: Call) -> None:
        self._self_call = call
        self._self_heard = Heard()
        super().__init__(stream, invocation=call.invocation)


def stream_of(stream: Any, call: Call) -> Any:
    """`stream`, which ends the call when it ends."""
    kind = type(stream)
    if not hasattr(kind, "__next__"):
        return AsyncStream(stream, call)
    return DualStream(stream, call) if hasattr(kind, "__anext__") else Stream(stream, call)


class Heard:
    """What the pieces of a stream have said, as far as LiteLLM does not keep it."""

    def __init__(self) -> None:
        self._id: str | None = None
        self._model: str | None = None
        self._last: Any = None
        self._counts: list[Any] = []

    def take(self, piece: Any) -> None:
        """Another piece is there."""
        if self._id is None:
            self._id = getattr(piece, "id", None)
        if self._model is None:
            self._model = getattr(piece, "model", None)
        kind = getattr(piece, "type", None)
        if getattr(kind, "value", kind) in _LAST:
            self._last = getattr(piece, "response", None)
        if getattr(piece, "usage", None) is not None:
            # A running number: the one before is not needed.
            self._counts = [*self._counts[-1:], piece]

    def answer(self, stream: Any, call: Call, *, cut_short: bool) -> Answer:
        """What is known of the answer."""
        request = call.request
        pieces = _pieces(stream)
        told = Answer(self._id, self._model)
        if self._last is not None:
            told = of(self._last, request, captures=call.captures)
        elif pieces and call.captures:
            told.outputs = messages.said(pieces)
        if pieces is not None:
            told.reasons = told.reasons or _reasons(pieces)
            told.usage = told_by_pieces(pieces, request.provider, request.model)
        elif self._last is None:
            told.usage = told_by_pieces(self._counts, request.provider, request.model)
        if counts_itself(request.provider, str(request.arguments.get("model")), embedding=False):
            told.usage = None
        if told.usage is not None and not told.reasons and (cut_short or pieces is not None):
            told.usage = told.usage.without_output()
        told.cached = is_cached(stream) or any(is_cached(each) for each in _inner(stream))
        return told


def _inner(stream: Any) -> list[Any]:
    """The streams that a stream is made of."""
    found, at = [], stream
    for _ in range(_DEPTH):
        at = next((inner for inner in (getattr(at, name, None) for name in _INNER) if inner is not None), None)
        if at is None:
            break
        found.append(at)
    return found


def _pieces(stream: Any) -> list[Any] | None:
    """The pieces that LiteLLM has kept, as they came from the provider; None if it keeps none.

    What it gives the app may have numbers that it counted itself.
    """
    for each in (stream, *_inner(stream)):
        pieces = getattr(each, "chunks", None)
        if isinstance(pieces, list):
            return pieces
    return None


def _reasons(pieces: list[Any]) -> list[str]:
    """Why each choice ended."""
    found: dict[int, str] = {}
    for piece in pieces:
        for choice in getattr(piece, "choices", None) or ():
            reason = getattr(choice, "finish_reason", None)
            if reason:
                found[getattr(choice, "index", 0) or 0] = str(reason)
    return [found[index] for index in sorted(found)]
