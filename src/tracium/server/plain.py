"""Answers in JSON's types: the one way in which a dataclass becomes an object, and a row of a sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeAlias

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"


def plain(value: object) -> Plain:
    """A value in JSON's types: times are ISO 8601 in UTC, money is a string of decimal digits.

    Raises:
        TypeError: it is of a type that no answer has.
    """
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Decimal):
        return digits(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        # A name that Python keeps for itself has an underscore behind it.
        return {name.rstrip("_"): plain(getattr(value, name)) for name in columns(type(value))}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [plain(one) for one in value]
    raise TypeError(f"{type(value).__name__} has no form in JSON.")


@cache
def columns(kind: Any) -> tuple[str, ...]:
    """The fields of a dataclass: its own before those of its base, so that a row begins with what it is about."""
    known = {field.name for field in fields(kind)}
    ordered: dict[str, None] = {}
    for one in kind.__mro__:
        ordered |= dict.fromkeys(name for name in getattr(one, "__annotations__", {}) if name in known)
    return tuple(ordered)


def digits(amount: Decimal) -> str:
    """A Decimal without an exponent and without zeros that say nothing."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
