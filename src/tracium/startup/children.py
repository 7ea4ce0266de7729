"""Child processes that Python's `multiprocessing` makes: set up like this one, and nothing is lost at their end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from wrapt import register_post_import_hook, wrap_function_wrapper

from tracium.faults import fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tracium.startup.runtime import Runtime

# On a process object while it is started: how the new process shall be set up.
_SET_UP: Final = "_tracium_set_up"
# After the finalizers of the app, which may still make spans.
_LAST: Final = -100


def finish_children(runtime: Runtime) -> None:
    """Let children send their last spans, because they end without Python's own exit."""

    def patch(util: ModuleType) -> None:
        def finish(runtime: Runtime) -> None:
            util.Finalize(None, runtime.finish, exitpriority=_LAST)

        util.register_after_fork(runtime, finish)
        if is_child():
            finish(runtime)

    register_post_import_hook(patch, "multiprocessing.util")


def set_up_children() -> None:
    """Let children that are spawned, and so begin with nothing, be set up as this process is."""
    register_post_import_hook(
        lambda module: wrap_function_wrapper(module, "BaseProcess.start", _start), "multiprocessing.process"
    )


def is_child() -> bool:
    """Whether `multiprocessing` started this process."""
    process: Any = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _start(start: Callable[..., Any], process: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    from tracium.startup.runtime import runtime  # noqa: PLC0415 - it starts us

    given = runtime.given
    if given is None:
        start(*args, **kwargs)
        return
    setattr(process, _SET_UP, _SetUp(given))
    try:
        start(*args, **kwargs)
    finally:
        delattr(process, _SET_UP)


class _SetUp:
    """Pickled with a process object; where it is unpickled, in the new process, that one is set up."""

    __slots__ = ("_given",)

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given

    def __reduce__(self) -> tuple[Any, ...]:
        return _set_up, (self._given,)


def _set_up(given: dict[str, Any]) -> None:
    from tracium.startup.runtime import runtime  # noqa: PLC0415 - as above

    if runtime.settings is not None:
        # Its main module has done so.
        return
    try:
        runtime.configure(given)
        runtime.instrument()
    except Exception as error:  # noqa: BLE001 - the process does its work all the same
        fault("setting up a child process", error)
