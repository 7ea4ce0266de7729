"""What a text in a URL stands for; each function refuses the others with the rest of a sentence that begins with the text."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from tracium.server.queries import TENANT_ORDERS
from tracium.server.scope import MAX_TENANT_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable

_Word = TypeVar("_Word", bound=StrEnum)

_HEX: Final = re.compile(r"[0-9a-f]+", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_MOST_MILLISECONDS: Final = 10**12


def any_text(text: str) -> str:
    """A text that is not empty."""
    if not text:
        raise ValueError("is empty: leave the parameter out, or give it a value")
    return text


def place(text: str) -> str:
    """An environment or a service, which may have no name."""
    return text


def tenant_id(text: str) -> str:
    """A tenant's id."""
    if not 1 <= len(text) <= MAX_TENANT_LENGTH:
        raise ValueError(f"is no tenant: an id has from 1 to {MAX_TENANT_LENGTH} characters")
    return text


def flag(text: str) -> bool:
    """Yes or no."""
    if text not in {"true", "false"}:
        raise ValueError("is neither true nor false")
    return text == "true"


def hexadecimal(length: int) -> Callable[[str], str]:
    """What reads an id of so many hexadecimal digits, in capitals or not."""

    def read(text: str) -> str:
        lowered = text.lower()
        if len(lowered) != length or not _HEX.fullmatch(lowered):
            raise ValueError(f"is no id: it has {length} hexadecimal digits")
        return lowered

    return read


def number(low: int, high: int) -> Callable[[str], int]:
    """What reads a whole number from `low` to `high`."""

    def read(text: str) -> int:
        if not _DIGITS.fullmatch(text) or not low <= int(text) <= high:
            raise ValueError(f"is no whole number from {low} to {high}")
        return int(text)

    return read


def milliseconds(text: str) -> float:
    """A number of milliseconds."""
    if not _NUMBER.fullmatch(text) or not float(text) <= _MOST_MILLISECONDS:
        raise ValueError("is no number of milliseconds")
    return float(text)


def word(words: type[_Word]) -> Callable[[str], _Word]:
    """What reads one of some words."""

    def read(text: str) -> _Word:
        try:
            return words(text)
        except ValueError as error:
            raise ValueError(f"is not one of {', '.join(words)}") from error

    return read


def order(text: str) -> str:
    """By what tenants are sorted."""
    if text not in TENANT_ORDERS:
        raise ValueError(f"is not one of {', '.join(TENANT_ORDERS)}")
    return text
