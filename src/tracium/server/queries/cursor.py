"""Where a page of a list begins: the keys of the last row before it, so that what arrives meanwhile moves nothing."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

_LONGEST = 4096


class CursorError(ValueError):
    """A cursor that no answer had."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"cursor={text[:100]!r} is none of this list: take `next` of the answer before, and ask the same otherwise"
        )


def write(*keys: str | float | None) -> str:
    """A cursor that holds these keys: opaque, but no secret."""
    return base64.urlsafe_b64encode(json.dumps(keys, separators=(",", ":")).encode()).decode().rstrip("=")


def read(text: str, *kinds: tuple[type | None, ...]) -> list[Any]:
    """The keys that a cursor holds.

    Args:
        text: what `write` gave.
        kinds: for each key, the types that it may have; None stands for None.

    Raises:
        CursorError: it holds something else.
    """
    try:
        if len(text) > _LONGEST:
            raise CursorError(text)
        keys = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise CursorError(text) from error
    if not isinstance(keys, list) or len(keys) != len(kinds) or not all(map(_fits, keys, kinds)):
        raise CursorError(text)
    return keys


def _fits(key: object, kinds: tuple[type | None, ...]) -> bool:
    # JSON's true is an int to Python, and NaN a float; neither is a key.
    if key is None or isinstance(key, bool) or key != key:  # noqa: PLR0124 - NaN
        return key is None and None in kinds
    return type(key) in kinds
