"""TaskIQ: a message takes tenant and trace along in its labels, and every attempt at it is a request of its own.

TaskIQ has an OpenTelemetry middleware, which brokers have only if the app says so. Where a broker has it, it makes the
spans and this module only carries the tenant; for all others this module makes them.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import Span, Status, StatusCode
from taskiq.exceptions import NoResultError
from wrapt import register_post_import_hook, wrap_function_wrapper

from tracium.attributes import MESSAGING_DESTINATION
from tracium.boundary.broker import fields
from tracium.boundary.member import HEADER
from tracium.faults import fault
from tracium.queues.delivery import Delivery, deliver
from tracium.queues.headers import inject
from tracium.queues.message import creating
from tracium.queues.message import message as processing_of
from tracium.tenancy.attachment import restore

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token
    from types import ModuleType, TracebackType

    from taskiq import AsyncBroker, ScheduledTask, TaskiqMessage
    from taskiq.kicker import AsyncKicker
    from taskiq.receiver import Receiver

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

_SYSTEM: Final = "taskiq"
_MIDDLEWARE: Final = "taskiq.middlewares.opentelemetry_middleware"


def instrument() -> None:
    """Let messages take tenant and trace along, and workers process each as a request of its own; once in a process."""
    wrap_function_wrapper("taskiq.kicker", "AsyncKicker._prepare_message", _prepare)
    wrap_function_wrapper("taskiq.message", "TaskiqMessage.parse_labels", _parse_labels)
    wrap_function_wrapper("taskiq.receiver.receiver", "Receiver.callback", _receive)
    wrap_function_wrapper("taskiq.receiver.receiver", "Receiver.run_task", _run_task)
    wrap_function_wrapper("taskiq.receiver.receiver", "TaskiqResult", _make_result)
    wrap_function_wrapper("taskiq.scheduler.scheduler", "TaskiqScheduler.on_ready", _send_scheduled)
    register_post_import_hook(_patch_middleware, _MIDDLEWARE)


class _Handling:
    """One message on its way through a worker, from the moment at which it can be read.

    Attributes:
        broker: Where it came from.
        message: What it is, when it could be read.
        headers: What it brought; an attempt after this one brings the same.
        context: What holds where its task begins.
        delivery: Where the broker's middleware makes the span: the message's context.
        span: Where we make it.
    """

    __slots__ = ("_stack", "_token", "broker", "context", "delivery", "headers", "message", "span")

    def __init__(self, broker: AsyncBroker) -> None:
        self.broker = broker
        self.message: TaskiqMessage | None = None
        self.headers: dict[str, Any] = {}
        self.context: Context | None = None
        self.delivery: Delivery | None = None
        self.span: Span | None = None
        self._stack = ExitStack()
        self._token: Token[_Handling | None] | None = None

    def __enter__(self) -> Self:
        self._token = _handling.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if error is not None and self.message is not None:
                _close_left_open(self.message, error, sending=False)
            self._stack.__exit__(kind, error, at)
        except Exception as ours:  # noqa: BLE001 - the message is done with all the same
            fault("ending a TaskIQ message", ours)
        if self._token is not None:
            _handling.reset(self._token)

    def begin(self, message: TaskiqMessage) -> None:
        """Let the message's context hold from here on."""
        self.message = message
        self.headers = {name: message.labels[name] for name in fields() if name in message.labels}
        if not self.headers:
            # A worker may run inside an app, where it was started in somebody's request.
            self._stack.callback(restore, attach(Context()))
        if _makes_spans(self.broker):
            self.delivery = deliver(message.labels)
            if self.delivery is not None:
                self._stack.callback(self.delivery.leave)
            return
        self.span = self._stack.enter_context(
            processing_of(message.labels, destination=message.task_name, system=_SYSTEM, message_id=message.task_id)
        )
        _name_queue(self.span, message, self.broker)
        if self.broker.find_task(message.task_name) is None:
            self.span.set_status(Status(StatusCode.ERROR, "the worker knows no task of this name"))
        if not self.headers:
            inject(self.headers)

    def settle(self, error: BaseException | None) -> None:
        """Note how the task ended, and let the message's own context hold again for what is sent because of it."""
        if self.context is not None:
            attach(self.context)
        # By a `NoResultError` a task asks for having no result, as it does for being sent again.
        if self.span is not None and error is not None and not isinstance(error, NoResultError):
            self.span.record_exception(error)
            self.span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))

    def sends_again(self, message: TaskiqMessage) -> bool:
        """Whether `message` is this one, for another attempt."""
        return (
            self.message is not None
            and message.task_id == self.message.task_id
            and message.task_name == self.message.task_name
        )


_handling: Final[ContextVar[_Handling | None]] = ContextVar("tracium-taskiq-handling", default=None)
# The messages for which the middleware has begun a span, in the innermost `kiq` that runs here.
_sending: Final[ContextVar[list[TaskiqMessage] | None]] = ContextVar("tracium-taskiq-sending", default=None)


def _prepare(prepare: Call, kicker: AsyncKicker[Any, Any], args: Args, kwargs: KwArgs) -> TaskiqMessage:
    message: TaskiqMessage = prepare(*args, **kwargs)
    try:
        _address(message, kicker.broker)
    except Exception as error:  # noqa: BLE001 - the message is sent all the same
        fault("making a TaskIQ message", error)
    return message


def _address(message: TaskiqMessage, broker: AsyncBroker) -> None:
    """Write the headers of this moment into a message's labels; another attempt at one keeps what that brought."""
    around = _handling.get()
    if around is not None and around.sends_again(message):
        message.labels.update(around.headers)
    elif _makes_spans(broker):
        inject(message.labels)
    else:
        with creating(message.task_name, _SYSTEM, message.task_id) as span:
            _name_queue(span, message, broker)
            inject(message.labels)
    for name in fields():
        # Headers are strings, whatever the app may have had under such a name.
        (message.labels_types or {}).pop(name, None)


async def _receive(callback: Call, receiver: Receiver, args: Args, kwargs: KwArgs) -> None:
    with _Handling(receiver.broker):
        await callback(*args, **kwargs)


def _parse_labels(parse: Call, message: TaskiqMessage, args: Args, kwargs: KwArgs) -> None:
    """The first moment at which a worker can tell what a message brings."""
    parse(*args, **kwargs)
    handling = _handling.get()
    if handling is None or handling.message is not None:
        return
    try:
        handling.begin(message)
    except Exception as error:  # noqa: BLE001 - the message is processed all the same
        fault("beginning a TaskIQ message", error)


async def _run_task(run: Call, receiver: object, args: Args, kwargs: KwArgs) -> Any:  # noqa: ARG001 - wrapt's signature
    handling = _handling.get()
    if handling is not None:
        handling.context = get_current()
    return await run(*args, **kwargs)


def _make_result(make: Call, _instance: object, args: Args, kwargs: KwArgs) -> Any:
    """The task is over, and middlewares that send it again have not replaced its exception yet."""
    handling = _handling.get()
    if handling is not None:
        try:
            handling.settle(kwargs.get("error"))
        except Exception as ours:  # noqa: BLE001 - the task's result is what it is
            fault("noting how a TaskIQ task ended", ours)
    return make(*args, **kwargs)


async def _send_scheduled(send: Call, scheduler: object, args: Args, kwargs: KwArgs) -> None:  # noqa: ARG001 - wrapt's signature
    """A scheduler sends for whoever made the schedule, and what is written in the code is nobody's."""
    token = attach(Context())
    delivery = deliver(_scheduled_headers(*args, **kwargs))
    try:
        await send(*args, **kwargs)
    finally:
        if delivery is not None:
            delivery.leave()
        restore(token)


def _scheduled_headers(source: object, task: ScheduledTask) -> dict[str, Any]:  # noqa: ARG001 - as TaskIQ passes them
    """What a schedule says; each run of one that recurs is a trace of its own, or that would never end."""
    recurs = task.cron is not None or getattr(task, "interval", None) is not None
    return {name: value for name, value in task.labels.items() if name == HEADER or not recurs}


def _name_queue(span: Span, message: TaskiqMessage, broker: AsyncBroker) -> None:
    """Not every broker has a queue with a name."""
    name = message.labels.get("queue_name") or getattr(broker, "queue_name", None)
    if isinstance(name, str):
        span.set_attribute(MESSAGING_DESTINATION, name)


def _makes_spans(broker: AsyncBroker) -> bool:
    """Whether TaskIQ's own middleware makes the spans of this broker's messages."""
    middleware = getattr(sys.modules.get(_MIDDLEWARE), "OpenTelemetryMiddleware", None)
    return middleware is not None and any(isinstance(each, middleware) for each in broker.middlewares)


def _patch_middleware(module: ModuleType) -> None:
    wrap_function_wrapper("taskiq.kicker", "AsyncKicker.kiq", _kiq)
    wrap_function_wrapper(module, "OpenTelemetryMiddleware.pre_send", _pre_send)
    wrap_function_wrapper(module, "OpenTelemetryMiddleware.pre_execute", _pre_execute)


async def _kiq(kiq: Call, kicker: object, args: Args, kwargs: KwArgs) -> Any:  # noqa: ARG001 - wrapt's signature
    """Send, and if that fails, end the span that the middleware would leave open and current."""
    begun: list[TaskiqMessage] = []
    token = _sending.set(begun)
    try:
        return await kiq(*args, **kwargs)
    except BaseException as error:
        for message in begun:
            _close_left_open(message, error, sending=True)
        raise
    finally:
        _sending.reset(token)


def _pre_send(pre_send: Call, middleware: object, args: Args, kwargs: KwArgs) -> TaskiqMessage:  # noqa: ARG001 - wrapt's signature
    """Put the tenant back into the headers, which the middleware has written anew with its span."""
    message: TaskiqMessage = pre_send(*args, **kwargs)
    begun, around = _sending.get(), _handling.get()
    if begun is not None:
        begun.append(message)
    if around is None or not around.sends_again(message):
        inject(message.labels)
    else:
        message.labels.pop(HEADER, None)
        message.labels.update({name: value for name, value in around.headers.items() if name == HEADER})
    return message


def _pre_execute(pre_execute: Call, middleware: object, args: Args, kwargs: KwArgs) -> TaskiqMessage:  # noqa: ARG001 - wrapt's signature
    """Tell from which labels the middleware extracts: another middleware may have made a message anew."""
    handling = _handling.get()
    if handling is not None and handling.delivery is not None and args:
        handling.message = args[0]
        handling.delivery.carrier = args[0].labels
    message: TaskiqMessage = pre_execute(*args, **kwargs)
    return message


def _close_left_open(message: TaskiqMessage, error: BaseException, *, sending: bool) -> None:
    """End a span of the middleware's that nobody will end now."""
    module: Any = sys.modules.get(_MIDDLEWARE)
    left = None if module is None else module.retrieve_context(message, is_publish=sending)
    if left is not None:
        left[1].__exit__(type(error), error, error.__traceback__)
        module.detach_context(message, is_publish=sending)
