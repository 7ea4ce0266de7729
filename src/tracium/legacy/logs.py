"""The older SDK's set-up of Python's `logging` for what tracium has to say."""

from __future__ import annotations

import logging
import sys
from typing import IO, Final

_FORMAT: Final = "%(asctime)s [%(levelname)s] %(name)s: %(message)s [%(filename)s:%(lineno)d]"


class _Handler(logging.StreamHandler[IO[str]]):
    """The handler of `configure_logging`, told apart from others."""


def configure_logging(
    level: int | str = logging.WARNING, format_string: str | None = None, stream: IO[str] | None = None
) -> None:
    """Write what the logger `tracium` says to a stream, and nowhere else. Another call replaces the first.

    Args:
        level: Of `logging`.
        format_string: Of `logging.Formatter`; time, level, logger, message and place unless given.
        stream: `sys.stderr` unless given.
    """
    handler = _Handler(sys.stderr if stream is None else stream)
    handler.setFormatter(logging.Formatter(_FORMAT if format_string is None else format_string))
    logger = get_logger()
    logger.setLevel(level)
    for before in [one for one in logger.handlers if isinstance(one, _Handler)]:
        logger.removeHandler(before)
    logger.addHandler(handler)
    logger.propagate = False


def get_logger(name: str | None = None) -> logging.Logger:
    """The logger `tracium`, or `tracium.{name}`."""
    return logging.getLogger(f"tracium.{name}" if name else "tracium")
