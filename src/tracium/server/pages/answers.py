"""What a page asks the store: begun before it is sent, and had when its template comes to them."""

from __future__ import annotations

import os
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Questions: TypeAlias = "Mapping[str, Callable[[], object]]"
"""What is asked, by the name of its answer; those that are shown first come first."""


# The engine takes two cores for a question as readily as all of them. Where there are no more, questions follow each other:
# side by side, the first answer would come with the last.
_AT_ONCE: Final = max(1, (os.cpu_count() or 1) // 2)


class Answers:
    """Answers that are being looked for, in the order in which they are shown.

    Args:
        asked: the questions.
    """

    def __init__(self, asked: Questions) -> None:
        self._threads: Final = ThreadPoolExecutor(min(_AT_ONCE, len(asked)), "tracium-page")
        self._found: Final[Mapping[str, Future[object]]] = {
            name: self._threads.submit(ask) for name, ask in asked.items()
        }

    def __call__(self, name: str) -> object:
        """An answer, for which this waits.

        Raises:
            StoreError: the store could not give it.
            ValueError: the question was none, such as one with a cursor of another list.
        """
        return self._found[name].result()

    def within(self, seconds: float | None) -> bool:
        """Whether all are there after so long; None waits for them. Raises what an answer that is there would raise."""
        done, missing = wait(self._found.values(), seconds, FIRST_EXCEPTION)
        for one in done:
            one.result()
        return not missing

    def close(self) -> None:
        """Ask nothing more; what is being asked comes to its end by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
