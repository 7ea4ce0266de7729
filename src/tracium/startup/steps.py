"""Steps of the SDK's own configuration, some of which are ours."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.sdk import _configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def steps(**ours: Callable[..., None]) -> Iterator[None]:
    """Take some steps of the SDK's configuration by `ours`.

    The SDK makes providers of metrics and logs that nothing exports, too: instrumentations would measure every request for
    nobody then, and an app that sets a provider of its own later would be refused.
    """
    taken_over = {step: taken for step, taken in ours.items() if hasattr(_configuration, step)}
    kept = {step: getattr(_configuration, step) for step in taken_over}
    for step, taken in taken_over.items():
        setattr(_configuration, step, taken)
    try:
        yield
    finally:
        for step, original in kept.items():
            setattr(_configuration, step, original)


def nothing(*_args: object, **_kwargs: object) -> None:
    """A step that is left out."""
