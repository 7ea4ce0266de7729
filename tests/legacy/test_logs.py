"""The older SDK's set-up of logging."""

from __future__ import annotations

import io
import logging

import pytest

from tracium import notices
from tracium.legacy.logs import configure_logging, get_logger


@pytest.fixture(autouse=True)
def _as_before():
    logger = logging.getLogger("tracium")
    before = (logger.level, logger.propagate, list(logger.handlers))
    yield
    logger.setLevel(before[0])
    logger.propagate, logger.handlers[:] = before[1], before[2]


def test_what_tracium_says_goes_to_the_stream_once():
    """Another call replaces the first, instead of writing each line twice; the app's own handlers stay."""
    first, second = io.StringIO(), io.StringIO()
    own = logging.NullHandler()
    get_logger().addHandler(own)
    configure_logging("INFO", stream=first)
    configure_logging(logging.INFO, "%(levelname)s %(message)s", second)
    notices.say("key", logging.INFO, "Something.")
    assert (first.getvalue(), second.getvalue()) == ("", "INFO Something.\n")
    assert own in get_logger().handlers
    assert not get_logger().propagate


def test_the_format_tells_when_where_and_what(capsys):
    """On the standard error stream of the moment at which it is called."""
    configure_logging()
    get_logger("part").warning("Something %d.", 1)
    get_logger().info("not this")
    line = capsys.readouterr().err
    assert "[WARNING] tracium.part: Something 1. [test_logs.py:" in line
    assert "not this" not in line


def test_loggers_are_below_ours():
    """By name."""
    assert get_logger().name == "tracium"
    assert get_logger("part").name == "tracium.part"
