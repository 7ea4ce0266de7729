"""Dramatiq: a message takes tenant and trace along in its options, and every attempt at it is a request of its own.

Whatever sends a message encodes it, and only then its headers are written, into a copy: the message object may be one
that is sent again, for another. A message that has headers when it is encoded came from a broker (a retry, a delay that
is over): it keeps them. That is also why nothing is a middleware here, which brokers made earlier would not have.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from threading import current_thread
from typing import TYPE_CHECKING, Any, Final

from dramatiq.common import q_name
from dramatiq.errors import RateLimitExceeded, Retry
from dramatiq.worker import _ConsumerThread
from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import Status, StatusCode
from wrapt import wrap_function_wrapper

from tracium.attributes import MESSAGING_DESTINATION
from tracium.faults import fault
from tracium.queues.headers import inject
from tracium.queues.message import creating
from tracium.queues.message import message as processing_of
from tracium.tenancy.attachment import restore

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from dramatiq import Message
    from opentelemetry.trace import Span

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

OPTION: Final = "tracium"
"""The option of a message that holds its headers."""

_SYSTEM: Final = "dramatiq"
# What dramatiq says when an attempt at a message has ended.
_ENDINGS: Final = frozenset({"process_message", "skip_message"})


def instrument() -> None:
    """Let messages take tenant and trace along, and workers process each as a request of its own; once in a process."""
    wrap_function_wrapper("dramatiq.message", "Message.encode", _encode)
    wrap_function_wrapper("dramatiq.broker", "Broker.emit_after", _emit_after)
    wrap_function_wrapper("dramatiq.worker", "_WorkerThread.process_message", _process)
    wrap_function_wrapper("dramatiq.worker", "_ConsumerThread.post_process_message", _post_process)
    wrap_function_wrapper("dramatiq.worker", "_WorkerThread.start", _start)
    wrap_function_wrapper("dramatiq.worker", "_ConsumerThread.start", _start)


class _Processing:
    """One attempt at a message.

    Attributes:
        message: What is processed.
        span: The attempt's span.
        context: The context at its beginning.
    """

    __slots__ = ("_block", "context", "message", "span")

    def __init__(self, message: Any) -> None:
        self.message = message
        headers = message.options.get(OPTION)
        block = processing_of(
            headers if isinstance(headers, dict) else None,
            destination=message.actor_name,
            system=_SYSTEM,
            message_id=message.message_id,
        )
        self.span = block.__enter__()
        self._block: AbstractContextManager[Span] | None = block
        self.context = get_current()
        self.span.set_attribute(MESSAGING_DESTINATION, q_name(message.queue_name))
        if not headers:
            self._keep_as_it_came()

    def settle(self, error: BaseException | None) -> None:
        """Note how the actor ended, and let the message's own context hold again for what is sent because of it."""
        attach(self.context)
        if error is not None:
            self.span.record_exception(error)
            # By these an actor asks for another attempt; dramatiq does not take them for errors either.
            if not isinstance(error, Retry | RateLimitExceeded):
                self.span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))

    def end(self) -> None:
        """End the span and let the context hold that was there before; again does nothing."""
        block, self._block = self._block, None
        if block is not None:
            block.__exit__(None, None, None)

    def _keep_as_it_came(self) -> None:
        """A retry is the same message, so it brings no tenant then either, whatever is set in this attempt."""
        headers: dict[str, Any] = {}
        inject(headers)
        self.message.options[OPTION] = headers


_processing: Final[ContextVar[_Processing | None]] = ContextVar("tracium-dramatiq-processing", default=None)


def _encode(encode: Call, message: Message[Any], args: Args, kwargs: KwArgs) -> bytes:
    addressed = _with_headers(message)
    encoded: bytes = encode(*args, **kwargs) if addressed is None else addressed.encode()
    return encoded


def _with_headers(message: Message[Any]) -> Message[Any] | None:
    """A copy of `message` with the headers of this moment; None if it is one that is only handed on."""
    # A consumer's thread makes no messages, but sends on those whose delay is over.
    if OPTION in message.options or isinstance(current_thread(), _ConsumerThread):
        return None
    try:
        headers: dict[str, Any] = {}
        with creating(message.actor_name, _SYSTEM, message.message_id) as span:
            span.set_attribute(MESSAGING_DESTINATION, q_name(message.queue_name))
            inject(headers)
        return message.copy(options={OPTION: headers})
    except Exception as error:  # noqa: BLE001 - the message is sent all the same
        fault("making a Dramatiq message", error)
        return None


def _process(process: Call, worker: object, args: Args, kwargs: KwArgs) -> None:  # noqa: ARG001 - wrapt's signature
    processing = _begin(*args, **kwargs)
    token = _processing.set(processing)
    try:
        process(*args, **kwargs)
    finally:
        _end(processing)
        _processing.reset(token)


def _post_process(post: Call, consumer: object, args: Args, kwargs: KwArgs) -> None:  # noqa: ARG001 - wrapt's signature
    """End the attempt once the message is acknowledged, and before it is called done: tests wait for that."""
    try:
        post(*args, **kwargs)
    finally:
        processing = _processing_of(*args, **kwargs)
        if processing is not None:
            _end(processing)


def _emit_after(emit: Call, broker: object, args: Args, kwargs: KwArgs) -> None:  # noqa: ARG001 - wrapt's signature
    if args[0] in _ENDINGS:
        processing = _processing_of(*args[1:2])
        if processing is not None:
            _settle(processing, kwargs.get("exception"))
    emit(*args, **kwargs)


def _start(start: Call, thread: object, args: Args, kwargs: KwArgs) -> None:  # noqa: ARG001 - wrapt's signature
    """Let a worker's thread begin with nothing: it serves everybody, whoever's message was the first on a queue."""
    token = attach(Context())
    try:
        start(*args, **kwargs)
    finally:
        restore(token)


def _begin(message: Any) -> _Processing | None:
    before = attach(get_current())
    try:
        return _Processing(message)
    except Exception as error:  # noqa: BLE001 - the message is processed all the same
        restore(before)
        fault("beginning a Dramatiq message", error)
        return None


def _settle(processing: _Processing, error: BaseException | None) -> None:
    try:
        if error is None and processing.message.failed:
            # It is skipped for good; the reason is being handled.
            error = sys.exception()
        processing.settle(error)
    except Exception as ours:  # noqa: BLE001 - the message is done with all the same
        fault("noting how a Dramatiq message ended", ours)


def _end(processing: _Processing | None) -> None:
    try:
        if processing is not None:
            processing.end()
    except Exception as error:  # noqa: BLE001 - the message is done with all the same
        fault("ending a Dramatiq message", error)


def _processing_of(message: object = None) -> _Processing | None:
    """The attempt at `message` that runs here, if any."""
    processing = _processing.get()
    return processing if processing is not None and processing.message is message else None
