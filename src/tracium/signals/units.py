"""Billed units of one model call, as attributes: tokens under the conventions' names, everything else under ours."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from tracium.attributes import (
    GEN_AI_CACHE_CREATION_INPUT_TOKENS,
    GEN_AI_CACHE_READ_INPUT_TOKENS,
    GEN_AI_INPUT_TOKENS,
    GEN_AI_OUTPUT_TOKENS,
    GEN_AI_REASONING_OUTPUT_TOKENS,
    USAGE_ELSEWHERE,
    USAGE_ID,
    USAGE_RECORDED,
    USAGE_UNIT_PREFIX,
    USAGE_UNKNOWN,
)

MAX_UNITS: Final = 32
"""Kinds of units in one record. A span has room for 128 attributes, and beyond that it loses the oldest."""

# https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
_TOKENS: Final = {
    "input_tokens": GEN_AI_INPUT_TOKENS,
    "output_tokens": GEN_AI_OUTPUT_TOKENS,
    "cache_read_input_tokens": GEN_AI_CACHE_READ_INPUT_TOKENS,
    "cache_creation_input_tokens": GEN_AI_CACHE_CREATION_INPUT_TOKENS,
    "reasoning_output_tokens": GEN_AI_REASONING_OUTPUT_TOKENS,
}
# A total, and the parts that it includes.
_PARTS: Final = {
    "input_tokens": ("cache_read_input_tokens", "cache_creation_input_tokens"),
    "output_tokens": ("reasoning_output_tokens",),
}
# What providers call the same: as units of their own nobody would count them as tokens.
_MISNOMERS: Final = {
    "prompt_tokens": "'input_tokens'",
    "completion_tokens": "'output_tokens'",
    "total_tokens": "'input_tokens' and 'output_tokens', each for itself",
    "cached_tokens": "'cache_read_input_tokens'",
    "cached_input_tokens": "'cache_read_input_tokens'",
    "cache_read_tokens": "'cache_read_input_tokens'",
    "cache_creation_tokens": "'cache_creation_input_tokens'",
    "cache_write_tokens": "'cache_creation_input_tokens'",
    "reasoning_tokens": "'reasoning_output_tokens'",
    "thinking_tokens": "'reasoning_output_tokens'",
}
# Words that mean something else under the same prefix.
_TAKEN: Final = {
    key.removeprefix(USAGE_UNIT_PREFIX) for key in (USAGE_ELSEWHERE, USAGE_ID, USAGE_RECORDED, USAGE_UNKNOWN)
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# OTLP's integers: https://opentelemetry.io/docs/specs/otel/common/#attribute
_MAX_INTEGER: Final = 2**63 - 1


def unit_attributes(units: object) -> dict[str, int | float]:
    """The attributes that say `units`.

    Args:
        units: A mapping from units to counts. `input_tokens` includes what was read from and written to a cache, and
            `output_tokens` includes reasoning, as in OpenTelemetry's conventions.

    Raises:
        TypeError: It is no mapping of strings to numbers.
        ValueError: It is empty, names a unit that cannot be one, or counts below zero, without end, or in parts of tokens.
    """
    if not isinstance(units, Mapping):
        raise TypeError(
            f"units must be a mapping of units to counts such as {{'input_tokens': 12}}, not {type(units).__name__}: "
            f"{units!r:.80}."
        )
    if not 0 < len(units) <= MAX_UNITS:
        raise ValueError(
            f"units has {len(units)} entries, but a record has 1 to {MAX_UNITS}. Leave the call out if nothing was used."
        )
    counts = {_name(unit): _count(unit, count) for unit, count in units.items()}
    _check_parts(counts)
    return {_TOKENS.get(unit, USAGE_UNIT_PREFIX + unit): count for unit, count in counts.items()}


def _name(unit: object) -> str:
    if not isinstance(unit, str):
        raise TypeError(f"A unit must be a string such as 'images', not {type(unit).__name__}: {unit!r:.80}.")
    if unit in _MISNOMERS:
        raise ValueError(f"The unit {unit!r} would not be counted as tokens: name it {_MISNOMERS[unit]}.")
    if unit in _TAKEN or not _NAME.fullmatch(unit):
        raise ValueError(
            f"{unit!r:.80} cannot be a unit. A unit is a word of 1 to 64 ASCII letters, digits and underscores, such as "
            f"'audio_seconds', other than {', '.join(sorted(_TAKEN))}."
        )
    return unit


def _count(unit: str, count: object) -> int | float:
    if isinstance(count, bool) or not isinstance(count, int | float | Decimal):
        raise TypeError(
            f"The count of {unit!r} must be an int, a float or a Decimal, not {type(count).__name__}: {count!r:.80}."
        )
    if not _is_finite(count) or not 0 <= count <= _MAX_INTEGER:
        raise ValueError(
            f"The count of {unit!r} is {shown(count)}, but it must be a finite number from 0 to {_MAX_INTEGER}."
        )
    if unit.endswith("_tokens") and count != int(count):
        raise ValueError(f"The count of {unit!r} is {count}, but tokens are whole.")
    # A Decimal is no attribute value, and whole numbers stay exact.
    whole = isinstance(count, int) or unit.endswith("_tokens") or (isinstance(count, Decimal) and count == int(count))
    return int(count) if whole else float(count)


def shown(value: object) -> str:
    """`value` in a sentence; Python refuses to write a whole number of more than 4300 digits."""
    try:
        return f"{value!r:.80}"
    except ValueError:
        return f"{type(value).__name__} of very many digits"


def _is_finite(count: float | Decimal) -> bool:
    return count.is_finite() if isinstance(count, Decimal) else isinstance(count, int) or math.isfinite(count)


def _check_parts(counts: Mapping[str, int | float]) -> None:
    for total, parts in _PARTS.items():
        included = sum(counts.get(part, 0) for part in parts)
        if total in counts and counts[total] < included:
            named = " and ".join(repr(part) for part in parts if part in counts)
            raise ValueError(
                f"{total!r} is {counts[total]}, but it includes {named} ({included}). Add what the provider counts beside it."
            )
