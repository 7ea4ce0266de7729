"""Moments on the command line: an age or a time, in the past or ahead."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE: Final = re.compile(r"([0-9]+)([smhdw])", re.ASCII)


class Since(click.ParamType[datetime]):
    """An age such as ``24h`` or ``7d``, or a time in ISO 8601; a time without a zone is UTC."""

    name = "since"
    _direction = -1

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read a moment, or fail with what is allowed."""
        if isinstance(value, datetime):
            return value
        try:
            return _moment(value, self._direction)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is neither an age such as 30m, 24h or 7d nor a time such as 2026-01-31T12:00", param, ctx
            )


class Until(Since):
    """As `Since`, but an age lies ahead: ``90d`` is in ninety days."""

    name = "until"
    _direction = 1


def _moment(text: str, direction: int) -> datetime:
    if age := _AGE.fullmatch(text):
        return datetime.now(UTC) + direction * timedelta(**{_UNITS[age[2]]: int(age[1])})
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
