"""Whatever an app hands over, as text that can be exported: strings as they are, everything else as JSON.

Apps record their own objects. Whatever these are, or do when they are looked at, there is a text in the end.
"""

from __future__ import annotations

import dataclasses
import json
import math
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

_Seen = frozenset[int]

# Deeper than anything that somebody reads, and well below Python's own limit.
_DEPTH: Final = 50
_INT64: Final = 1 << 63


def as_text(value: object) -> str:
    """`value` itself if it is a string, else its JSON."""
    return clean(value) if isinstance(value, str) else as_json(value)


def as_json(value: object) -> str:
    """The JSON of `value`."""
    return clean(json.dumps(plain(value), ensure_ascii=False, separators=(",", ":")))


def as_attribute(value: object) -> str | bool | int | float:
    """`value` itself where an attribute can hold it, else its JSON."""
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return int(value)
    return as_text(value)


def clean(text: str) -> str:
    """`text` as a plain string without lone surrogates, which UTF-8 and so OTLP cannot hold."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return str.__str__(text)


def plain(value: object) -> Any:
    """`value` in JSON's types.

    Dataclasses and pydantic's models become objects, bytes their Base64, other objects their `str()`; numbers that JSON does not
    have become strings. What contains itself, or is nested more than 50 deep, is cut there.
    """
    return _plain(value, frozenset())


def _plain(value: object, around: _Seen) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return b64encode(value).decode()
    if id(value) in around or len(around) >= _DEPTH:
        return "…"
    return _plain_object(value, around | {id(value)})


def _plain_object(value: object, around: _Seen) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): _plain(one, around) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one, around) for one in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name, None), around) for field in dataclasses.fields(value)}
    dump: Callable[[], object] | None = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        return _tried(lambda: _plain(dump(), around), value)
    return _tried(lambda: str(value), value)


def _key(key: object) -> str:
    return key if isinstance(key, str) else str(_tried(lambda: str(key), key))


def _tried(make: Callable[[], object], value: object) -> Any:
    """What `make` makes; the app's own code runs in it and may raise."""
    try:
        return make()
    except Exception:  # noqa: BLE001 - the app's object, not a fault of ours
        return f"<{type(value).__module__}.{type(value).__qualname__}>"
