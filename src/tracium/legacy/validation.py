"""The older SDK's checks: each gives the value back, tidied up, or raises."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_AGENT_NAME: Final = re.compile(r"[a-zA-Z0-9\s\-_.]+")
_TRACE_ID: Final = re.compile(r"[a-zA-Z0-9\-_]+")
# The greatest lengths, in characters, and what else was bounded.
_NAME, _ID, _SPAN_TYPE, _TAG, _LABEL, _MESSAGE = 256, 256, 128, 128, 512, 10_000
_TAGS: Final = 100
_METADATA_BYTES: Final = 1_000_000
_CUT: Final = "... (truncated)"


def validate_agent_name(agent_name: str) -> str:
    """A name of 1 to 256 letters, digits, spaces, dashes, underscores and dots, without spaces around it.

    Raises:
        TypeError: It is no string.
        ValueError: It is not such a name.
    """
    name = _text(agent_name, "agent_name", _NAME)
    if not _AGENT_NAME.fullmatch(name):
        raise ValueError(
            f"agent_name is {name!r}, but it may have ASCII letters, digits, spaces, dashes, underscores and dots only."
        )
    return name


def validate_trace_id(trace_id: str) -> str:
    """An id of 1 to 256 letters, digits, dashes and underscores. `tracium.start_trace` wants 32 hexadecimal digits.

    Raises:
        TypeError: It is no string.
        ValueError: It is not such an id.
    """
    checked = _text(trace_id, "trace_id", _ID)
    if not _TRACE_ID.fullmatch(checked):
        raise ValueError(
            f"trace_id is {checked!r}, but it may have ASCII letters, digits, dashes and underscores only."
        )
    return checked


def validate_span_id(span_id: str) -> str:
    """An id of 1 to 256 characters, without spaces around it.

    Raises:
        TypeError: It is no string.
        ValueError: It is empty or too long.
    """
    return _text(span_id, "span_id", _ID)


def validate_span_type(span_type: str) -> str:
    """A word of 1 to 128 characters, without spaces around it.

    Raises:
        TypeError: It is no string.
        ValueError: It is empty or too long.
    """
    return _text(span_type, "span_type", _SPAN_TYPE)


def validate_name(name: str | None) -> str | None:
    """A name of up to 512 characters, without spaces around it; None if nothing is left.

    Raises:
        TypeError: It is neither a string nor None.
        ValueError: It is too long.
    """
    if name is None or (isinstance(name, str) and not name.strip()):
        return None
    return _text(name, "name", _LABEL)


def validate_tags(tags: Sequence[str] | None) -> list[str]:
    """Tags as strings of up to 128 characters; empty ones and repetitions in any case are left out.

    Raises:
        TypeError: It is neither a list, a tuple nor None.
        ValueError: It has more than 100, or a tag that is too long.
    """
    if tags is None:
        return []
    if not isinstance(tags, list | tuple):
        raise TypeError(f"tags must be a list or a tuple, not {type(tags).__name__}: {tags!r:.80}.")
    if len(tags) > _TAGS:
        raise ValueError(f"tags has {len(tags)} entries, but there may be {_TAGS} at most.")
    texts = (str(tag).strip() for tag in tags if tag is not None)
    # The first spelling of each stays.
    kept: dict[str, str] = {}
    for text in filter(None, texts):
        kept.setdefault(_text(text, "A tag", _TAG).lower(), text)
    return list(kept.values())


def validate_metadata(metadata: dict[str, Any] | None) -> dict[str, Any]:
    """A copy of a dict with string keys, of up to 1,000,000 bytes of JSON.

    Raises:
        TypeError: It is neither a dict nor None, or has a key that is no string.
        ValueError: It is too large, or a key has more than 256 characters.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise TypeError(f"metadata must be a dict, not {type(metadata).__name__}: {metadata!r:.80}.")
    for key in metadata:
        if not isinstance(key, str):
            raise TypeError(f"A key of metadata must be a string, not {type(key).__name__}: {key!r:.80}.")
        if len(key) > _NAME:
            raise ValueError(
                f"A key of metadata has {len(key)} characters, but {_NAME} at most are allowed: {key[:40]!r}…."
            )
    size = _json_size(metadata)
    if size > _METADATA_BYTES:
        raise ValueError(f"metadata has {size} bytes as JSON, but {_METADATA_BYTES} at most are allowed.")
    return dict(metadata)


def validate_error_message(error: object) -> str:
    """Any error as text of up to 10,000 characters; what is longer is cut with a mark."""
    text = str(error).strip()
    return text if len(text) <= _MESSAGE else text[:_MESSAGE] + _CUT


def validate_api_key(api_key: str, allow_test_keys: bool = False) -> str:  # noqa: FBT001, FBT002 - the older signature
    """A key of at least 10 characters, without spaces around it.

    Args:
        api_key: The key. It is repeated in no message.
        allow_test_keys: Whether 3 characters are enough.

    Raises:
        TypeError: It is no string.
        ValueError: It is too short.
    """
    if not isinstance(api_key, str):
        raise TypeError(f"api_key must be a string, not {type(api_key).__name__}.")
    key, least = api_key.strip(), 3 if allow_test_keys else 10
    if len(key) < least:
        raise ValueError(
            f"api_key has {len(key)} characters, but a key has {least} at least. Pass it as it was issued."
        )
    return key


def _text(value: object, name: str, most: int) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}: {value!r:.80}.")
    text = value.strip()
    if not 0 < len(text) <= most:
        raise ValueError(f"{name} must have 1 to {most} characters, not {len(text)}: {text[:40]!r}.")
    return text


def _json_size(metadata: dict[str, Any]) -> int:
    try:
        return len(json.dumps(metadata).encode())
    except (TypeError, ValueError, RecursionError):
        # What is no JSON was never measured.
        return 0
