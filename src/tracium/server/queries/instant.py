"""Moments to the nanosecond, which Python's datetime does not hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(nanoseconds: int) -> str:
    """A moment in ISO 8601 in UTC with nine digits behind the second.

    Args:
        nanoseconds: since 1970.
    """
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
