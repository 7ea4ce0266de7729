"""Questions that do not need each other's answers, asked side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_First = TypeVar("_First")
_Second = TypeVar("_Second")


def beside(first: Callable[[], _First], second: Callable[[], _Second]) -> tuple[_First, _Second]:
    """Ask both at once; while the engine works, the threads of Python wait.

    Raises:
        StoreError: the store could not answer one of them; both are over by then.
    """
    with ThreadPoolExecutor(1, "tracium-question") as threads:
        other = threads.submit(second)
        return first(), other.result()
