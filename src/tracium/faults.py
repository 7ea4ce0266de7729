"""The one door for faults while recording: they are logged once, the app goes on."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracium import notices

if TYPE_CHECKING:
    from collections.abc import Iterator

_raising = False


def fault(doing: str, error: Exception) -> None:
    """Report that `error` happened inside tracium while it was `doing` something for the app.

    It is said once for each kind of error and place, and counted. Under the test kit it is raised, so that
    a fault of ours cannot hide behind a log line.
    """
    if _raising:
        raise error
    key = f"fault:{doing}:{type(error).__name__}"
    notices.say(
        key,
        logging.ERROR,
        f"tracium failed while {doing}: {type(error).__name__}: {error}. The app goes on without it; "
        "please report this with the version from `tracium --version`.",
    )


@contextmanager
def contained(doing: str) -> Iterator[None]:
    """Report an exception that leaves the block as a fault, and go on after it.

    Args:
        doing: What the block does for the app.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - recording never breaks the app
        fault(doing, error)


@contextmanager
def raising() -> Iterator[None]:
    """Let faults be raised instead of logged, as long as the block runs (for tests)."""
    global _raising  # noqa: PLW0603 - one switch for the process
    before, _raising = _raising, True
    try:
        yield
    finally:
        _raising = before
