"""What a name of the older SDK is called now, said where the app uses it."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

_PACKAGE: Final = __name__.partition(".")[0]


def say_older(text: str) -> None:
    """Give a `DeprecationWarning` that points to the nearest line outside of tracium."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - as `warnings` itself does
    while frame is not None and _is_passed_over(frame):
        frame = frame.f_back
    if frame is None:
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return
    warnings.warn_explicit(
        text,
        DeprecationWarning,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=frame.f_globals.get("__name__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _is_passed_over(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__"))
    # `from tracium import span` asks for the name inside Python's own import.
    return name.partition(".")[0] == _PACKAGE or "importlib._bootstrap" in frame.f_code.co_filename
