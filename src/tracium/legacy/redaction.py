"""The older SDK's redaction by the names of fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIELDS: Final = ("api_key", "apikey", "password", "secret", "token", "authorization", "x-api-key")
_REDACTED: Final = "***REDACTED***"


def redact_sensitive_data(data: Mapping[str, Any], sensitive_keys: Iterable[str] | None = None) -> dict[str, Any]:
    """A copy of `data` in which the values of such fields are `***REDACTED***`, at any depth of mappings and lists.

    It goes by names and looks into no text: what is captured of prompts and answers is redacted by `tracium.init(redact=…)`.

    Args:
        data: Fields and values.
        sensitive_keys: Names of the fields, without regard to case; API keys, passwords, secrets and tokens unless given.
    """
    names = frozenset(name.lower() for name in (_FIELDS if sensitive_keys is None else sensitive_keys))
    return {name: _redacted(name, value, names) for name, value in data.items()}


def _redacted(name: object, value: object, names: frozenset[str]) -> object:
    if isinstance(name, str) and name.lower() in names:
        return _REDACTED
    if isinstance(value, Mapping):
        return {inner: _redacted(inner, one, names) for inner, one in value.items()}
    if isinstance(value, list):
        return [_redacted(None, one, names) for one in value]
    return value
