"""Threads, thread pools and futures: a piece of work has the context of the moment at which it was handed over.

OpenTelemetry's own instrumentation carries the context into `Thread.run`, which a subclass with a `run` of its own never
calls, and lets a pool's thread live in the context of the work for which it happened to be started: whatever runs there
between two pieces of work, a future's callback for one, would belong to that tenant. Here pools' threads begin with
nothing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry.context import attach, detach, get_current
from wrapt import register_post_import_hook, wrap_function_wrapper

from tracium.concurrency.handing import POOL_METHODS, with_function, with_nothing
from tracium.tenancy.carrying import bind

if TYPE_CHECKING:
    from types import ModuleType

    from tracium.concurrency.handing import Args, Call, KwArgs


def instrument() -> None:
    """Let threads and pools take the context along; once in a process, each when its module is there."""
    wrap_function_wrapper("threading", "Thread.start", _start)
    for name, patch in (
        ("concurrent.futures.thread", _patch_executor),
        ("concurrent.futures._base", _patch_future),
        ("multiprocessing.pool", _patch_pools),
        ("logging.handlers", _patch_listener),
    ):
        register_post_import_hook(patch, name)


def _patch_executor(module: ModuleType) -> None:
    wrap_function_wrapper(module, "ThreadPoolExecutor.submit", _submit)


def _patch_future(module: ModuleType) -> None:
    wrap_function_wrapper(module, "Future.add_done_callback", _add_done_callback)


def _patch_pools(module: ModuleType) -> None:
    wrap_function_wrapper(module, "ThreadPool.__init__", with_nothing)
    for name in POOL_METHODS:
        wrap_function_wrapper(module, f"Pool.{name}", _hand_over)


def _patch_listener(module: ModuleType) -> None:
    wrap_function_wrapper(module, "QueueListener.start", with_nothing)


def _start(start: Call, thread: Any, args: Args, kwargs: KwArgs) -> None:
    """Give the thread's `run`, whichever class has it, the context of the start."""
    context = get_current()
    if not context:
        start(*args, **kwargs)
        return
    run = thread.run
    own = thread.__dict__.get("run")

    def carried() -> None:
        _put_back(thread, own)
        token = attach(context)
        try:
            run()
        finally:
            detach(token)

    thread.run = carried
    try:
        start(*args, **kwargs)
    except BaseException:
        _put_back(thread, own)
        raise


def _put_back(thread: Any, own: object) -> None:
    """Take our `run` from the thread, which would keep it and itself alive."""
    if own is None:
        thread.__dict__.pop("run", None)
    else:
        thread.run = own


def _submit(submit: Call, executor: object, args: Args, kwargs: KwArgs) -> Any:
    """Bind the work, and let a thread that is started for it begin with nothing."""
    args, kwargs = with_function(args, kwargs, "fn", partial(bind, get_current()))
    return with_nothing(submit, executor, args, kwargs)


def _add_done_callback(add: Call, future: object, args: Args, kwargs: KwArgs) -> Any:  # noqa: ARG001 - wrapt's signature
    """Bind the callback: it may run in the thread of whoever cancels."""
    args, kwargs = with_function(args, kwargs, "fn", partial(bind, get_current()))
    return add(*args, **kwargs)


def _hand_over(hand_over: Call, pool: Any, args: Args, kwargs: KwArgs) -> Any:
    from multiprocessing.pool import ThreadPool  # noqa: PLC0415 - loaded when this is called

    if isinstance(pool, ThreadPool):
        args, kwargs = with_function(args, kwargs, "func", partial(bind, get_current()))
    return hand_over(*args, **kwargs)
