"""OpenTelemetry's consistent probability sampling: thresholds, randomness, and where they stand in a trace state.

The rules are those of https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/ and
https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/: a trace has 56 random bits, a sampler has a threshold
between 0 and 2^56, and what is not below the threshold is kept.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from opentelemetry.trace import TraceState

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGITS: Final = 14
KEEP_NONE: Final = 1 << (4 * _DIGITS)
"""The threshold that no trace reaches."""

_RANDOM_BITS: Final = KEEP_NONE - 1
_KEY: Final = "ot"
_MAX_ENTRY: Final = 256
# https://www.w3.org/TR/trace-context/#tracestate-header-field-values
_MAX_ENTRIES: Final = 32
_TH: Final = re.compile(r"th:([0-9a-fA-F]{1,14})")
_RV: Final = re.compile(r"rv:([0-9a-f]{14})")


class Entry(NamedTuple):
    """OpenTelemetry's own entry in a trace state.

    Attributes:
        threshold: What the samplers before have applied, if they say so.
        randomness: The random bits of the trace, if they are not those of its id.
        rest: Everything but the threshold, as it stands there.
    """

    threshold: int | None
    randomness: int | None
    rest: tuple[str, ...]


_NOTHING: Final = Entry(None, None, ())


def threshold_of(ratio: float) -> int:
    """The threshold that keeps `ratio` of all traces, in full precision; nothing but 0 keeps none."""
    return KEEP_NONE if ratio <= 0 else KEEP_NONE - max(1, round(ratio * KEEP_NONE))


def encoded(threshold: int) -> str:
    """`threshold` as the value of `th`: 14 hexadecimal digits without the zeros at their end."""
    return f"{threshold:0{_DIGITS}x}".rstrip("0") or "0"


def entry_in(state: Mapping[str, str] | None) -> Entry:
    """What a trace state says to OpenTelemetry's samplers; what is malformed counts as not said."""
    text = state.get(_KEY) if state else None
    if not text or len(text) > _MAX_ENTRY:
        return _NOTHING
    threshold = randomness = None
    rest = []
    for member in text.split(";"):
        if member.startswith("th:"):
            told = _TH.fullmatch(member)
            threshold = None if told is None else int(told[1].ljust(_DIGITS, "0"), 16)
            continue
        rest.append(member)
        explicit = _RV.fullmatch(member)
        if explicit is not None:
            randomness = int(explicit[1], 16)
    return Entry(threshold, randomness, tuple(rest))


def randomness_of(trace_id: int, entry: Entry | None) -> int:
    """The 56 random bits of a trace: those that its trace state tells, else the last seven bytes of its id."""
    if entry is None or entry.randomness is None:
        return trace_id & _RANDOM_BITS
    return entry.randomness


def with_threshold(state: Mapping[str, str] | None, threshold: int | None) -> TraceState:
    """`state` with this threshold in the place of the one that it has; None: with none, because the weight is unknown."""
    if not state:
        return _alone(threshold)
    members = list(entry_in(state).rest)
    if threshold is not None:
        members.insert(0, f"th:{encoded(threshold)}")
        if len(";".join(members)) > _MAX_ENTRY:
            # Nobody could read it.
            del members[0]
    others = [(key, value) for key, value in state.items() if key != _KEY]
    if not members:
        return TraceState(others)
    # An entry that is added pushes the last one out where there are too many.
    return TraceState([(_KEY, ";".join(members)), *others[: _MAX_ENTRIES - 1]])


@functools.lru_cache(maxsize=256)
def _alone(threshold: int | None) -> TraceState:
    return TraceState() if threshold is None else TraceState([(_KEY, f"th:{encoded(threshold)}")])
