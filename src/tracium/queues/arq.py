"""arq: a job takes tenant and trace along in its payload, and every attempt at it is a request of its own.

The payload is a dict that the app may have serialized as it likes; ours is one more key, which other readers leave alone.
arq keeps to itself how an attempt ended, so it is read where arq writes it down, or from the task that the job ran in.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from arq.worker import Retry, RetryJob  # type: ignore[import-not-found] # it cannot be installed beside Celery
from opentelemetry.context import Context, attach
from opentelemetry.trace import Status, StatusCode
from wrapt import wrap_function_wrapper

from tracium.attributes import MESSAGING_DESTINATION
from tracium.faults import contained
from tracium.queues.headers import inject
from tracium.queues.message import creating, message
from tracium.tenancy.attachment import restore

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

KEY: Final = "tracium"
"""The key of a job's payload that holds its headers."""

_SYSTEM: Final = "arq"


def instrument() -> None:
    """Let jobs take tenant and trace along, and workers process each as a request of its own; once in a process."""
    wrap_function_wrapper("arq.connections", "ArqRedis.enqueue_job", _enqueue)
    wrap_function_wrapper("arq.connections", "serialize_job", _serialize)
    wrap_function_wrapper("arq.worker", "Worker.run_job", _run)
    wrap_function_wrapper("arq.worker", "deserialize_job_raw", _deserialize)
    wrap_function_wrapper("arq.worker", "serialize_result", _serialize_result)
    wrap_function_wrapper("arq.worker", "Worker.run_cron", _run_cron)


class _Attempt:
    """One attempt at a job.

    Attributes:
        queue: Its queue.
        retries: Whether the worker makes another attempt where a job asks for it, or the worker stops.
        task: The task in which the job's own function runs, once it does.
        span: The attempt's span, once it is known what the job brings.
    """

    __slots__ = ("_job_id", "_stack", "_told", "queue", "retries", "span", "task")

    def __init__(self, worker: Any, job_id: str) -> None:
        self.queue: str = worker.queue_name
        self.retries: bool = worker.retry_jobs
        self.task: asyncio.Task[Any] | None = None
        self.span: Span | None = None
        self._job_id = job_id
        self._stack = ExitStack()
        self._told = False

    def begin(self, headers: object, function: str | None) -> Span:
        """Let the job's context hold from here on, if it does not yet."""
        if self.span is None:
            brought = headers if isinstance(headers, dict) else None
            if brought is None:
                # A worker may run inside an app, where it was started in somebody's request.
                self._stack.callback(restore, attach(Context()))
            self.span = self._stack.enter_context(
                message(brought, destination=function or self.queue, system=_SYSTEM, message_id=self._job_id)
            )
            self.span.set_attribute(MESSAGING_DESTINATION, self.queue)
        return self.span

    def fail(self, error: BaseException) -> None:
        """Note that the job ended so."""
        span, self._told = self.begin(None, None), True
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))

    def end(self) -> None:
        """Note how the attempt ended, if nothing has told, and let the context hold that was there before."""
        try:
            if self.task is not None and self.task.done() and not self._told:
                self._settle(self.task)
        finally:
            self._stack.close()

    def _settle(self, task: asyncio.Task[Any]) -> None:
        # Cancelled by nobody, it has cancelled itself; together with the task around it, because the worker stops.
        error: BaseException | None
        if task.cancelled():
            error, again = asyncio.CancelledError(), not task.cancelling() or _is_cancelled(asyncio.current_task())
        else:
            error = task.exception()
            again = isinstance(error, Retry | RetryJob)
        if error is None:
            return
        if again and self.retries:
            span = self.begin(None, None)
            span.record_exception(error)
            span.add_event("retry")
        else:
            self.fail(error)


class _Tasks(dict[str, "asyncio.Task[Any]"]):
    """The tasks of a worker, by job: into this arq puts the one in which a job's own function runs."""

    def __setitem__(self, job_id: str, task: asyncio.Task[Any]) -> None:
        attempt = _attempt.get()
        if attempt is not None:
            attempt.task = task
        super().__setitem__(job_id, task)


_attempt: Final[ContextVar[_Attempt | None]] = ContextVar("tracium-arq-attempt", default=None)
# Queue and id of the job that is being enqueued.
_enqueued: Final[ContextVar[tuple[str, str] | None]] = ContextVar("tracium-arq-enqueued", default=None)


async def _enqueue(enqueue: Call, pool: Any, args: Args, kwargs: KwArgs) -> Any:
    queue, job_id = kwargs.get("_queue_name"), kwargs.get("_job_id") or uuid4().hex
    token = _enqueued.set((pool.default_queue_name if queue is None else queue, job_id))
    try:
        return await enqueue(*args, **{**kwargs, "_job_id": job_id})
    finally:
        _enqueued.reset(token)


def _serialize(serialize: Call, _module: object, args: Args, kwargs: KwArgs) -> bytes:
    """Make a job's payload. It is only called for a job that is not there yet."""
    headers: dict[str, Any] = {}
    with contained("making an arq job"):
        queue, job_id = _enqueued.get() or (None, None)
        with creating(_argument(args, kwargs, 0, "function_name"), _SYSTEM, job_id) as span:
            if queue is not None:
                span.set_attribute(MESSAGING_DESTINATION, queue)
            inject(headers)
    dumps = kwargs.get("serializer") or pickle.dumps

    def dump(data: dict[str, Any]) -> bytes:
        try:
            return dumps({**data, KEY: headers})
        except Exception:  # noqa: BLE001 - the app's serializer knows only arq's keys, or cannot serialize these either
            return dumps(data)

    payload: bytes = serialize(*args, **{**kwargs, "serializer": dump})
    return payload


async def _run(run: Call, worker: Any, args: Args, kwargs: KwArgs) -> None:
    """Make an attempt at a job, in a task of its own."""
    if type(worker.job_tasks) is dict:
        worker.job_tasks = _Tasks(worker.job_tasks)
    attempt = _Attempt(worker, _argument(args, kwargs, 0, "job_id"))
    token = _attempt.set(attempt)
    try:
        await run(*args, **kwargs)
    except Exception as error:
        # A hook of the app's has raised it, or Redis is not there.
        with contained("noting how an arq job ended"):
            attempt.fail(error)
        raise
    finally:
        with contained("ending an arq job"):
            attempt.end()
        _attempt.reset(token)


def _deserialize(deserialize: Call, _module: object, args: Args, kwargs: KwArgs) -> Any:
    """The first moment at which a worker can tell what a job brings."""
    loads = kwargs.get("deserializer") or pickle.loads
    headers: list[Any] = []

    def load(payload: bytes) -> Any:
        data = loads(payload)
        headers.append(data.get(KEY) if isinstance(data, Mapping) else None)
        return data

    job = deserialize(*args, **{**kwargs, "deserializer": load})
    attempt = _attempt.get()
    with contained("beginning an arq job"):
        if attempt is not None:
            attempt.begin(headers[0], job[0])
    return job


def _serialize_result(serialize: Call, _module: object, args: Args, kwargs: KwArgs) -> Any:
    """A result that is kept says how the job ended, also where its function was not even called."""
    attempt = _attempt.get()
    with contained("noting how an arq job ended"):
        result = _argument(args, kwargs, 6, "result")
        if attempt is not None and not _argument(args, kwargs, 5, "success") and isinstance(result, BaseException):
            attempt.fail(result)
    return serialize(*args, **kwargs)


async def _run_cron(run: Call, _worker: object, args: Args, kwargs: KwArgs) -> None:
    """What the clock makes is nobody's, whatever the worker's start has left behind."""
    token = attach(Context())
    try:
        await run(*args, **kwargs)
    finally:
        restore(token)


def _is_cancelled(task: asyncio.Task[Any] | None) -> bool:
    return task is not None and task.cancelling() > 0


def _argument(args: Args, kwargs: KwArgs, position: int, name: str) -> Any:
    return args[position] if len(args) > position else kwargs[name]
