"""What the SDK refuses at its start, as an error of ours: in its words, with the variable that it is about."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracium.exceptions import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def told() -> Iterator[None]:
    """Let what the SDK raises in the block be an error of ours.

    Raises:
        SettingError: It refused a value, or a package for one is missing.
    """
    try:
        yield
    except SettingError:
        raise
    except (ValueError, RuntimeError) as error:
        words = str(error).rstrip(".")
        raise SettingError(f"OpenTelemetry cannot be set up: {words}. {_advice(words)}") from error


def _advice(words: str) -> str:
    # Their values are not told: some are secrets.
    about = [name for name, value in sorted(os.environ.items()) if _is_about(name, value, words)]
    if not about:
        return "Look at the OTEL_* variables."
    return f"Look at {' and '.join(about)}: correct it, install what it names, or leave it out."


def _is_about(name: str, value: str, words: str) -> bool:
    """Whether the words name a variable, what it sets, or a part of its value."""
    if not name.startswith("OTEL_"):
        return False
    what = name.removeprefix("OTEL_").removeprefix("BSP_").removeprefix("BLRP_").lower()
    parts = [part.strip() for part in value.split(",") if part.strip()]
    return name in words or what in words or any(repr(part) in words for part in parts)
