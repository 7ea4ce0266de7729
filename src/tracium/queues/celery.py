"""Celery 5: a message belongs to its sender's tenant, a task to its message's, and what Celery sends after a task to that one's.

OpenTelemetry's instrumentor makes the spans `apply_async/…` and `run/…`, where it is applied; the tenant goes along without
it too. Its span of a sending stays the thread's own when the broker does not take the message, and ends at once where the
sender does not know the task; here it lasts as long as the sending.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from celery import signals
from celery.app.amqp import AMQP
from celery.app.base import Celery
from celery.app.task import Context as Request
from celery.app.task import Task
from celery.backends.base import Backend
from opentelemetry.context import Context, attach, create_key, get_current, set_value
from opentelemetry.trace import INVALID_SPAN, set_span_in_context
from wrapt import register_post_import_hook, wrap_function_wrapper

from tracium.attributes import TENANT_ID
from tracium.faults import fault
from tracium.queues.delivery import Delivery, InlineDelivery, deliver
from tracium.queues.headers import MessageGetter, inject
from tracium.queues.horse import flush
from tracium.tenancy.attachment import restore
from tracium.tenancy.block import here
from tracium.tenancy.scope import tenant
from tracium.tenancy.standing import current_tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from opentelemetry.metrics import MeterProvider

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

# On a task's request: the work on it.
_REQUEST: Final = "_tracium_work"
# In a context: the same.
_WORK: Final = create_key("tracium-celery-work")


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Apply OpenTelemetry's instrumentor, unless the app has done so, and keep its spans of sendings; once in a process."""
    from opentelemetry.instrumentation.celery import CeleryInstrumentor, utils  # noqa: PLC0415 - tenants need it not

    instrumentor = CeleryInstrumentor()  # type: ignore[no-untyped-call] # contrib's
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True, meter_provider=meter_provider)
    wrap_function_wrapper(utils, "attach_context", _keep_span)
    wrap_function_wrapper(utils, "retrieve_context", _kept_span)
    wrap_function_wrapper(utils, "detach_context", _forget_span)


def _let_arrive() -> None:
    """Give each message its tenant and each task its request; also where nothing makes spans, or the app does so itself."""
    wrap_function_wrapper(Celery, "send_task", _send_task)
    wrap_function_wrapper(Task, "apply", _apply)
    for name in ("mark_as_done", "mark_as_failure", "mark_as_revoked"):
        wrap_function_wrapper(Backend, name, _mark)
    if hasattr(AMQP, "_retry_publish"):
        # From Celery 5.7 on; before, nothing tells what a worker sends by itself from what a task sends.
        wrap_function_wrapper(AMQP, "_retry_publish", _send_next)
    # Only workers import it.
    register_post_import_hook(_patch_request, "celery.worker.request")
    signals.before_task_publish.connect(_publish, weak=False)
    signals.task_prerun.connect(_begin, weak=False)
    _move(signals.task_prerun, _begin, 0)
    signals.task_postrun.connect(_end, weak=False)
    signals.worker_process_init.connect(_begin_process, weak=False)
    signals.worker_process_shutdown.connect(_end_process, weak=False)


def _patch_request(module: ModuleType) -> None:
    if hasattr(module.Request, "_retry_worker_lost"):
        # From Celery 5.7 on as well.
        wrap_function_wrapper(module.Request, "_retry_worker_lost", _retry_lost)


class _RequestGetter(MessageGetter):
    """Reads a message's headers from what Celery makes of them: attributes of the task's request."""

    def get(self, carrier: Any, key: str) -> list[str] | None:
        return super().get(vars(carrier), key)


_GETTER: Final = _RequestGetter()


class _Work:
    """One attempt at a task.

    Attributes:
        task_id: Its message's.
        tenant: Whom its message belongs to.
        named: What the message itself has under our name, if anything: that names nobody.
        span: As for `_Sending`.
    """

    __slots__ = ("_delivery", "_token", "named", "span", "task_id", "tenant")

    def __init__(self, request: Any) -> None:
        self.task_id: str = request.id
        self.span: tuple[Any, ...] | None = None
        self.named = (request.headers or {}).get(TENANT_ID)
        # A worker may have been started in somebody's request.
        around = get_current() if request.is_eager else Context()
        self._token = attach(set_value(_WORK, self, around))
        self._delivery = _inline(request) if request.is_eager else deliver(request, _GETTER)
        self.tenant = None if self._delivery is None else self._delivery.tenant
        if not request.is_eager and _links_spans():
            # The instrumentor's span shall not be below the message's, and is begun wherever we are.
            attach(set_span_in_context(INVALID_SPAN))

    def end(self) -> None:
        """Let the context hold that was there before."""
        if self._delivery is not None:
            self._delivery.leave()
        restore(self._token)

    def again(self) -> AbstractContextManager[object]:
        """The tenant of its message, whatever was set since; where that has none, what was set."""
        if self.tenant is None or self.tenant == current_tenant(here()):
            return nullcontext()
        return tenant(self.tenant)


class _Sending:
    """One message while it is sent: nothing of it stays behind, whatever becomes of it.

    Attributes:
        span: What the instrumentor keeps of the span, until it has ended it: the span, what ends it, and a token.
    """

    __slots__ = ("_entered", "_token", "span")

    def __enter__(self) -> None:
        self.span: tuple[Any, ...] | None = None
        self._entered = _sending.set(self)
        self._token = attach(get_current())

    def __exit__(self, *ended: object) -> None:
        try:
            if self.span is not None:
                # The instrumentor does not where the broker fails, or where it does not know the task.
                self.span[1].__exit__(*ended)
        except Exception as ours:  # noqa: BLE001 - the message is sent, or not, all the same
            fault("ending the span of a Celery message", ours)
        finally:
            restore(self._token)
            _sending.reset(self._entered)


_sending: Final[ContextVar[_Sending | None]] = ContextVar("tracium-celery-sending", default=None)


def _send_task(send: Call, _app: object, args: Args, kwargs: KwArgs) -> Any:
    kwargs, named = _without_name(kwargs)
    _keep_last(signals.before_task_publish, _publish)
    with _sender(kwargs, named), _Sending():
        return send(*args, **kwargs)


def _apply(apply: Call, _task: object, args: Args, kwargs: KwArgs) -> Any:
    """Work on a task where it is sent."""
    kwargs, named = _without_name(kwargs)
    with nullcontext() if named is None else named:
        return apply(*args, **kwargs)


def _without_name(kwargs: KwArgs) -> tuple[KwArgs, tenant | None]:
    """The arguments without the header that names a tenant, and that tenant.

    What is in the headers of a message that is worked on, and goes on from there, names nobody: it came from anywhere.
    """
    headers = kwargs.get("headers")
    if not isinstance(headers, Mapping) or TENANT_ID not in headers:
        return kwargs, None
    work = _work_here()
    if work is not None and work.named is not None and work.named == headers[TENANT_ID]:
        return kwargs, None
    others = {name: value for name, value in headers.items() if name != TENANT_ID}
    return {**kwargs, "headers": others}, tenant(headers[TENANT_ID])


def _sender(kwargs: KwArgs, named: tenant | None) -> AbstractContextManager[object]:
    """In whose name a message is sent, if not in that of the moment."""
    if named is not None:
        return named
    work = _work_here()
    # A retry, or what replaces a task, is the same piece of work.
    return nullcontext() if work is None or kwargs.get("task_id") != work.task_id else work.again()


def _publish(headers: Any = None, **_: Any) -> None:
    """Write the message's headers, in the context of its span."""
    if isinstance(headers, dict):
        inject(headers)


def _keep_span(keep: Call, _module: object, args: Args, kwargs: KwArgs) -> None:
    holder = _holder(args[0], **kwargs)
    if holder is None:
        keep(*args, **kwargs)
    else:
        holder.span = args[2:]


def _kept_span(kept: Call, _module: object, args: Args, kwargs: KwArgs) -> Any:
    holder = _holder(args[0], **kwargs)
    return kept(*args, **kwargs) if holder is None else holder.span


def _forget_span(forget: Call, _module: object, args: Args, kwargs: KwArgs) -> None:
    holder = _holder(args[0], **kwargs)
    if holder is None:
        forget(*args, **kwargs)
    else:
        holder.span = None


def _holder(task: Any, *, is_publish: bool = False) -> _Sending | _Work | None:
    """What a span of the instrumentor's belongs to, which keeps them by task and id: two attempts may run at once."""
    return _sending.get() if is_publish else vars(task.request).get(_REQUEST)


def _begin(task: Any = None, **_: Any) -> None:
    """Begin a task, before any other handler."""
    _keep_last(signals.task_postrun, _end)
    request = task.request
    before = attach(get_current())
    try:
        setattr(request, _REQUEST, _Work(request))
    except Exception as error:  # noqa: BLE001 - the task runs all the same
        restore(before)
        fault("beginning a Celery task", error)


def _end(task: Any = None, **_: Any) -> None:
    """End a task, after any other handler."""
    work = vars(task.request).pop(_REQUEST, None)
    try:
        if work is not None:
            work.end()
    except Exception as error:  # noqa: BLE001 - the task is done all the same
        fault("ending a Celery task", error)


def _inline(request: Any) -> Delivery:
    delivery = InlineDelivery(request)
    delivery.enter()
    return delivery


def _work_here() -> _Work | None:
    work: Any = get_current().get(_WORK)
    return work  # type: ignore[no-any-return] # nobody else has this key


def _send_next(send: Call, _amqp: object, args: Args, kwargs: KwArgs) -> Any:
    """Send what follows a task that has succeeded."""
    work = _work_here()
    with nullcontext() if work is None else work.again():
        return send(*args, **kwargs)


def _mark(mark: Call, _backend: object, args: Args, kwargs: KwArgs) -> Any:
    """Note how a task has ended, and send what follows: its errbacks, or the body of its chord."""
    request = next((each for each in (kwargs.get("request"), *args) if isinstance(each, Request)), None)
    with nullcontext() if request is None else _afterwards(request):
        return mark(*args, **kwargs)


def _retry_lost(retry: Call, lost: Any, args: Args, kwargs: KwArgs) -> Any:
    """Send a task again whose process was lost."""
    with _afterwards(lost._context):  # noqa: SLF001 - as what is wrapped
        return retry(*args, **kwargs)


def _afterwards(request: Any) -> AbstractContextManager[object]:
    work: _Work | None = vars(request).get(_REQUEST)
    if work is not None:
        return work.again()
    # It was worked on in another process, and that one is gone; or nowhere: it was revoked.
    return _delivered(request) if _work_here() is None else nullcontext()


@contextmanager
def _delivered(request: Any) -> Iterator[None]:
    """Be in the place of whoever would have worked on a message."""
    delivery = deliver(request, _GETTER)
    try:
        yield
    finally:
        if delivery is not None:
            delivery.leave()


def _links_spans() -> bool:
    """Whether the app has applied OpenTelemetry's instrumentor so."""
    instrumentation: Any = sys.modules.get("opentelemetry.instrumentation.celery")
    return instrumentation is not None and getattr(instrumentation.CeleryInstrumentor(), "_use_span_links", False)


def _keep_last(signal: Any, receiver: Call) -> None:
    """Apps connect their handlers at any time; ours comes after them."""
    if signal.receivers and signal.receivers[-1][1] is not receiver:
        _move(signal, receiver, len(signal.receivers))


def _move(signal: Any, receiver: Call, place: int) -> None:
    with signal.lock:
        for ours in [each for each in signal.receivers if each[1] is receiver]:
            signal.receivers.remove(ours)
            signal.receivers.insert(place, ours)


def _begin_process(**_: Any) -> None:
    """A pool's process serves everybody, whoever was served when it was forked."""
    attach(Context())


def _end_process(**_: Any) -> None:
    """Send what a pool's process has made, because it ends without Python's own exit."""
    flush()


_let_arrive()
