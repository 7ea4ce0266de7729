"""Processes and process pools: a piece of work has the context of the moment at which it was handed over.

A child that is forked has its parent's context, and one that is spawned has none: either is wrong for a pool's worker,
which serves everybody, and the latter for a process that is started for one piece of work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context, attach
from wrapt import register_post_import_hook, wrap_function_wrapper

from tracium.concurrency.handing import POOL_METHODS, with_function, with_nothing
from tracium.faults import fault
from tracium.tenancy.attachment import restore
from tracium.tenancy.block import here
from tracium.tenancy.parcel import Parcel

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tracium.concurrency.handing import Args, Call, KwArgs

# On a process object while it is started: the context that the new process begins with.
_CONTEXT: Final = "_tracium_context"


def instrument() -> None:
    """Let processes and their pools take the context along; once in a process, each when its module is there."""
    for name, patch in (
        ("concurrent.futures.process", _patch_executor),
        ("multiprocessing.managers", _patch_manager),
        ("multiprocessing.pool", _patch_pool),
        ("multiprocessing.process", _patch_process),
    ):
        register_post_import_hook(patch, name)


def _patch_executor(module: ModuleType) -> None:
    wrap_function_wrapper(module, "ProcessPoolExecutor.submit", _submit)


def _patch_manager(module: ModuleType) -> None:
    wrap_function_wrapper(module, "BaseManager.start", with_nothing)


def _patch_pool(module: ModuleType) -> None:
    wrap_function_wrapper(module, "Pool.__init__", with_nothing)
    for name in POOL_METHODS:
        wrap_function_wrapper(module, f"Pool.{name}", _hand_over)


def _patch_process(module: ModuleType) -> None:
    wrap_function_wrapper(module, "BaseProcess.start", _start)


def _submit(submit: Call, executor: object, args: Args, kwargs: KwArgs) -> Any:
    """Bind the work, and let a worker that is started for it begin with nothing."""
    args, kwargs = with_function(args, kwargs, "fn", _carried)
    return with_nothing(submit, executor, args, kwargs)


def _hand_over(hand_over: Call, pool: Any, args: Args, kwargs: KwArgs) -> Any:
    from multiprocessing.pool import ThreadPool  # noqa: PLC0415 - loaded when this is called

    if not isinstance(pool, ThreadPool):
        args, kwargs = with_function(args, kwargs, "func", _carried)
    return hand_over(*args, **kwargs)


def _start(start: Call, process: Any, args: Args, kwargs: KwArgs) -> None:
    """Give the context to a process that does not inherit it."""
    context = here()
    if not context:
        start(*args, **kwargs)
        return
    setattr(process, _CONTEXT, _Arriving(Parcel.of(context)))
    try:
        start(*args, **kwargs)
    finally:
        delattr(process, _CONTEXT)


def _carried(function: Callable[..., Any]) -> Callable[..., Any]:
    context = here()
    return CarriedCall(function, Parcel.of(context)) if context else function


class CarriedCall:
    """A function for another process, whose calls there run in the context of the moment at which this was made.

    Args:
        function: Picklable, as for every process pool.
        parcel: The context.
    """

    __slots__ = ("_context", "_function", "_parcel")

    def __init__(self, function: Callable[..., Any], parcel: Parcel) -> None:
        self._function = function
        self._parcel = parcel
        self._context: Context | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return CarriedCall, (self._function, self._parcel)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function in its context; the worker has its own back afterwards."""
        if self._context is None:
            # One binding for all calls of a chunk: they are parts of one piece of work.
            self._context = self._parcel.context()
        token = attach(self._context)
        try:
            return self._function(*args, **kwargs)
        finally:
            restore(token)


class _Arriving:
    """Pickled with a process object; where it is unpickled, in the new process, its context holds from there on."""

    __slots__ = ("_parcel",)

    def __init__(self, parcel: Parcel) -> None:
        self._parcel = parcel

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrive, (self._parcel,)


def _arrive(parcel: Parcel) -> None:
    try:
        attach(parcel.context())
    except Exception as error:  # noqa: BLE001 - the process does its work all the same
        fault("taking in a process's context", error)
