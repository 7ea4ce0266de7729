"""Numbers of tokens, as an app tells them."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Final, SupportsIndex

from tracium.attributes import (
    GEN_AI_CACHE_CREATION_INPUT_TOKENS,
    GEN_AI_CACHE_READ_INPUT_TOKENS,
    GEN_AI_INPUT_TOKENS,
    GEN_AI_OUTPUT_TOKENS,
    GEN_AI_REASONING_OUTPUT_TOKENS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_ATTRIBUTES: Final[Mapping[str, str]] = {
    "input": GEN_AI_INPUT_TOKENS,
    "output": GEN_AI_OUTPUT_TOKENS,
    "cached_input": GEN_AI_CACHE_READ_INPUT_TOKENS,
    "cache_creation_input": GEN_AI_CACHE_CREATION_INPUT_TOKENS,
    "reasoning": GEN_AI_REASONING_OUTPUT_TOKENS,
    # the older SDK's names
    "input_tokens": GEN_AI_INPUT_TOKENS,
    "output_tokens": GEN_AI_OUTPUT_TOKENS,
    "cached_input_tokens": GEN_AI_CACHE_READ_INPUT_TOKENS,
    "cache_creation_input_tokens": GEN_AI_CACHE_CREATION_INPUT_TOKENS,
}
# OTLP's integers: https://opentelemetry.io/docs/specs/otel/common/#attribute
_TOO_MANY: Final = 1 << 63
_ALLOWED: Final = "give a whole number from 0 on, or None where it is not known."


def token_attributes(given: Mapping[str, object]) -> dict[str, int]:
    """The attributes for what was given and is not None.

    Args:
        given: Counts by the names of `set_token_usage`'s arguments.

    Raises:
        TypeError: A count is no whole number, or one count was given under two names.
        ValueError: A count is negative or no attribute can hold it.
    """
    attributes: dict[str, int] = {}
    for name, count in given.items():
        if count is None:
            continue
        key = _ATTRIBUTES[name]
        if key in attributes:
            raise TypeError(f"{name}= is an older name of what was given too; leave one of them out.")
        attributes[key] = _checked(name, count)
    return attributes


def _checked(name: str, count: object) -> int:
    if isinstance(count, bool) or not isinstance(count, SupportsIndex):
        raise TypeError(f"{name}={count!r:.80} is no number of tokens: {_ALLOWED}")
    number = operator.index(count)
    if not 0 <= number < _TOO_MANY:
        raise ValueError(f"{name}={number} is no number of tokens: {_ALLOWED}")
    return number
