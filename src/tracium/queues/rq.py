"""RQ: a job takes tenant and trace along in a field of its own beside RQ's, and every attempt at it is a request of its own.

The job's `meta` would be the obvious place, but that is the app's, which may write it anew at any time. The field also
tells which making of the job it is of: a producer without tracium may use the job's id again, and would not overwrite it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import ExitStack
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context, attach
from opentelemetry.trace import Span, Status, StatusCode
from rq.exceptions import DeserializationError
from rq.job import JobStatus
from rq.worker import BaseWorker, Worker
from wrapt import wrap_function_wrapper

from tracium.attributes import MESSAGING_DESTINATION
from tracium.faults import contained, fault
from tracium.queues.headers import inject
from tracium.queues.horse import flush
from tracium.queues.message import creating, message
from tracium.tenancy.attachment import restore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

    from rq.job import Job

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

FIELD: Final = "tracium"
"""The field of a job's hash in Redis that holds its headers."""

_SYSTEM: Final = "rq"
_CREATED_AT: Final = "created_at"
# On a job object: the headers that it was made with; None where it brought none.
_HEADERS: Final = "_tracium_headers"


def instrument() -> None:
    """Let jobs take tenant and trace along, and workers process each as a request of its own; once in a process."""
    wrap_function_wrapper("rq.job", "Job.create", _create)
    wrap_function_wrapper("rq.job", "Job.to_dict", _to_dict)
    wrap_function_wrapper("rq.job", "Job.restore", _restore)
    wrap_function_wrapper("rq.queue", "Queue.run_sync", _perform)
    wrap_function_wrapper("rq.queue", "Queue.run_job", _run_job)
    for name, wrapper in (
        ("perform_job", _perform),
        ("handle_exception", _handle_exception),
        ("handle_job_failure", _handle_failure),
        ("handle_job_retry", _handle_retry),
        ("handle_job_success", _handle_success),
        ("handle_work_horse_killed", _handle_killed),
        ("_handle_stopped_job", _handle_stopped),
    ):
        for kind in (BaseWorker, Worker):
            # Which of the two has it depends on RQ's version.
            if name in vars(kind):
                wrap_function_wrapper(kind, name, wrapper)
    _catch_up()


class _Attempt:
    """One attempt at a job.

    Attributes:
        late: Whether it was under way when RQ was instrumented, so that nothing around it will end it.
        span: Its span.
    """

    __slots__ = ("_stack", "late", "span")

    def __init__(self, job: Job, *, late: bool = False) -> None:
        headers = _headers_of(job)
        self.late = late
        with ExitStack() as stack:
            if headers is None:
                # A worker may run inside an app, where it was started in somebody's request.
                stack.callback(restore, attach(Context()))
            self.span: Span = stack.enter_context(
                message(headers, destination=_function_of(job), system=_SYSTEM, message_id=job.id)
            )
            _name_queue(self.span, job)
            stack.callback(_attempt.reset, _attempt.set(self))
            self._stack = stack.pop_all()

    def fail(self, error: BaseException) -> None:
        """Note that the job, or what belongs to it, ended so."""
        self.span.record_exception(error)
        self.span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))

    def end(self) -> None:
        """End the span and let the context hold that was there before."""
        self._stack.close()


_attempt: Final[ContextVar[_Attempt | None]] = ContextVar("tracium-rq-attempt", default=None)


def _create(create: Call, _class: object, args: Args, kwargs: KwArgs) -> Job:
    job: Job = create(*args, **kwargs)
    with contained("making an RQ job"):
        headers: dict[str, Any] = {}
        # A job that is asked for its id gets one, and RQ wants to know whether it has none.
        with creating(job.func_name or job.origin, _SYSTEM, kwargs.get("id")) as span:
            _name_queue(span, job)
            inject(headers)
        setattr(job, _HEADERS, headers)
    return job


def _to_dict(to_dict: Call, job: Job, args: Args, kwargs: KwArgs) -> dict[str, Any]:
    stored: dict[str, Any] = to_dict(*args, **kwargs)
    with contained("storing an RQ job's headers"):
        headers = vars(job).get(_HEADERS)
        if headers is not None:
            stored[FIELD] = json.dumps({_CREATED_AT: stored[_CREATED_AT], "headers": headers})
    return stored


def _restore(restore_job: Call, job: Job, args: Args, kwargs: KwArgs) -> Any:
    restored = restore_job(*args, **kwargs)
    with contained("reading an RQ job's headers"):
        raw: Mapping[Any, Any] = _argument(args, kwargs, 0, "raw_data")
        setattr(job, _HEADERS, _read(*(raw.get(name.encode(), raw.get(name)) for name in (FIELD, _CREATED_AT))))
    return restored


def _headers_of(job: Job) -> dict[str, Any] | None:
    if _HEADERS not in vars(job):
        # It was fetched before RQ was instrumented.
        setattr(job, _HEADERS, _read(*job.connection.hmget(job.key, FIELD, _CREATED_AT)))
    headers: dict[str, Any] | None = vars(job)[_HEADERS]
    return headers


def _read(field: str | bytes | None, created_at: str | bytes | None) -> dict[str, Any] | None:
    """The headers in a job's field, if they are of this making of it."""
    try:
        stored = json.loads(field or "null")
    except ValueError:
        return None
    made = created_at.decode() if isinstance(created_at, bytes) else created_at
    headers = stored.get("headers") if isinstance(stored, dict) and stored.get(_CREATED_AT) == made else None
    return headers if isinstance(headers, dict) else None


def _perform(perform: Call, performer: object, args: Args, kwargs: KwArgs) -> Any:
    """Perform a job: in a worker, or in a queue that has none and so performs it where it is sent."""
    attempt = _begin(_argument(args, kwargs, 0, "job"))
    try:
        return perform(*args, **kwargs)
    except BaseException as error:
        _note_failure(error)
        raise
    finally:
        _end(attempt, performer)


def _run_job(run: Call, _queue: object, args: Args, kwargs: KwArgs) -> Any:
    """A queue that has no workers keeps a job's exception to itself, as a worker does."""
    try:
        return run(*args, **kwargs)
    except BaseException as error:
        _note_failure(error)
        raise


def _handle_exception(handle: Call, _worker: object, args: Args, kwargs: KwArgs) -> Any:
    """The one call in which a worker tells what a job, or its callback, has raised: the job, and what `exc_info` says."""
    _note_failure(*args[2:3])
    return handle(*args, **kwargs)


def _handle_failure(handle: Call, worker: object, args: Args, kwargs: KwArgs) -> None:
    try:
        handle(*args, **kwargs)
        _note_retry(_argument(args, kwargs, 0, "job"))
    finally:
        _end_late(worker)


def _handle_retry(handle: Call, worker: object, args: Args, kwargs: KwArgs) -> None:
    """The job has returned that it wants another attempt."""
    handle(*args, **kwargs)
    attempt = _attempt.get()
    if attempt is not None and not _note_retry(_argument(args, kwargs, 0, "job")):
        attempt.span.set_status(Status(StatusCode.ERROR, "no attempt is left"))
    _end_late(worker)


def _handle_success(handle: Call, worker: object, args: Args, kwargs: KwArgs) -> None:
    handle(*args, **kwargs)
    _end_late(worker)


def _handle_killed(handle: Call, worker: object, args: Args, kwargs: KwArgs) -> Any:
    """Make the span that a killed work-horse could not send; one that exits has sent it."""
    status = _argument(args, kwargs, 2, "ret_val")
    if not status or not os.WIFSIGNALED(status):
        return handle(*args, **kwargs)
    return _stand_in(handle, worker, args, kwargs, f"the work-horse was killed by signal {os.WTERMSIG(status)}")


def _handle_stopped(handle: Call, worker: object, args: Args, kwargs: KwArgs) -> Any:
    """The same for a job that was stopped on request; its callback runs in here."""
    return _stand_in(handle, worker, args, kwargs, "stopped on request")


def _stand_in(handle: Call, worker: object, args: Args, kwargs: KwArgs, why: str) -> Any:
    attempt = _begin(_argument(args, kwargs, 0, "job"))
    try:
        return handle(*args, **kwargs)
    finally:
        if attempt is not None:
            attempt.span.set_status(Status(StatusCode.ERROR, why))
        _end(attempt, worker)


def _begin(job: Job, *, late: bool = False) -> _Attempt | None:
    try:
        return _Attempt(job, late=late)
    except Exception as error:  # noqa: BLE001 - the job is performed all the same
        fault("beginning an RQ job", error)
        return None


def _end(attempt: _Attempt | None, performer: Any) -> None:
    with contained("ending an RQ job"):
        if attempt is not None:
            attempt.end()
        if getattr(performer, "is_horse", False):
            flush()


def _end_late(worker: object) -> None:
    attempt = _attempt.get()
    if attempt is not None and attempt.late:
        _end(attempt, worker)


def _note_failure(error: BaseException | None = None) -> None:
    attempt = _attempt.get()
    with contained("noting how an RQ job ended"):
        if attempt is not None and error is not None:
            attempt.fail(error)


def _note_retry(job: Job) -> bool:
    """Note whether a job that did not succeed gets another attempt."""
    attempt = _attempt.get()
    retried = job.get_status(refresh=False) not in {JobStatus.FAILED, JobStatus.STOPPED}
    if attempt is not None and retried:
        attempt.span.add_event("retry")
    return retried


def _catch_up() -> None:
    """Take in the job that is being performed just now.

    Where `tracium.trace()` stands in the tasks' own module, RQ imports that to perform a job of it, and a work-horse
    performs no other.
    """
    job = _performed()
    if job is not None and not _in_event_loop():
        _begin(job, late=True)


def _performed() -> Job | None:
    """The job that this thread performs. It may be one that RQ does not call current yet: its arguments are unpickled."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - there is no other way to see it
    while frame is not None:
        if frame.f_code.co_name == "perform_job" and isinstance(frame.f_locals.get("self"), BaseWorker):
            job: Job | None = frame.f_locals.get("job")
            return job
        frame = frame.f_back
    return None


def _in_event_loop() -> bool:
    """Whether a coroutine runs here, whose context ends before the job does."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _function_of(job: Job) -> str | None:
    try:
        return job.func_name
    except DeserializationError:
        # RQ will say so when it performs it.
        return None


def _name_queue(span: Span, job: Job) -> None:
    if job.origin:
        span.set_attribute(MESSAGING_DESTINATION, job.origin)


def _argument(args: Args, kwargs: KwArgs, position: int, name: str) -> Any:
    return args[position] if len(args) > position else kwargs[name]
