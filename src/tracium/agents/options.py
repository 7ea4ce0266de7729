"""What a step may be given where it is made."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypedDict

from tracium.agents.older import refuse_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NANOSECONDS: Final = 1_000_000_000
_HEX: Final = frozenset("0123456789abcdef")


class StepOptions(TypedDict, total=False):
    """Options of a step; each means what the handle's method of that kind does, from the start on.

    `started_at` is an aware datetime, `latency_ms` milliseconds after which the step is taken to end. `span_id` and
    `parent_span_id` are 16 hexadecimal digits, as `id` gives them.
    """

    input: Any
    model_id: str | None
    provider: str | None
    tags: Sequence[str] | None
    metadata: Mapping[str, Any] | None
    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int | None
    cache_creation_input_tokens: int | None
    started_at: datetime | None
    latency_ms: float | None
    span_id: str | None
    parent_span_id: str | None
    tool_call_id: str | None


PLANNED: Final = frozenset({"model_id", "provider", "tags", "metadata"})
COUNTS: Final = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_creation_input_tokens")
_NAMES: Final = frozenset(StepOptions.__annotations__)


def check_options(options: Mapping[str, object]) -> None:
    """Refuse what is no option of a step.

    Raises:
        RemovedError: An option that only the older SDK had.
        TypeError: Nobody ever had it.
    """
    for name in options:
        if name not in _NAMES:
            refuse_option(name)


def nanoseconds(moment: object, name: str) -> int | None:
    """A moment as OpenTelemetry writes it, since 1970 in UTC.

    Raises:
        TypeError: It is no datetime.
        ValueError: It has no time zone.
    """
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        raise TypeError(f"{name} must be a datetime, not {type(moment).__name__}: {moment!r:.80}.")
    if moment.tzinfo is None:
        raise ValueError(
            f"{name}={moment.isoformat()} has no time zone, so it may be any of many moments. Give an aware datetime, such as "
            "datetime.now(timezone.utc)."
        )
    return int(moment.timestamp()) * _NANOSECONDS + moment.microsecond * 1000


def milliseconds(duration: object, name: str) -> int | None:
    """A duration in nanoseconds.

    Raises:
        TypeError: It is no number.
        ValueError: It is negative, or not finite.
    """
    if duration is None:
        return None
    if isinstance(duration, bool) or not isinstance(duration, int | float):
        raise TypeError(f"{name} must be a number of milliseconds, not {type(duration).__name__}: {duration!r:.80}.")
    if not 0 <= duration < float("inf"):
        raise ValueError(f"{name}={duration} must be a number of milliseconds from 0 on.")
    return int(duration * 1_000_000)


def span_id_of(text: object, name: str) -> int | None:
    """A span id.

    Raises:
        TypeError: It is no string.
        ValueError: It is not 16 hexadecimal digits, or zero.
    """
    return None if text is None else _hexadecimal(text, name, 16, "Use the `id` of a step, or leave it out.")


def trace_id_of(text: object) -> int | None:
    """A trace id; a UUID counts as one, with its dashes or without.

    Raises:
        TypeError: It is no string.
        ValueError: It is not 32 hexadecimal digits, or zero.
    """
    if text is None:
        return None
    return _hexadecimal(
        text,
        "trace_id",
        32,
        "Give a UUID, such as uuid.uuid4().hex, or uuid.uuid5(uuid.NAMESPACE_OID, name).hex to have always the same one for "
        "a name of your own; or give the name as metadata.",
    )


def _hexadecimal(text: object, name: str, digits: int, advice: str) -> int:
    if not isinstance(text, str):
        raise TypeError(
            f"{name} must be a string of {digits} hexadecimal digits, not {type(text).__name__}: {text!r:.80}."
        )
    found = text.strip().lower()
    if digits == 32 and [len(part) for part in found.split("-")] == [8, 4, 4, 4, 12]:  # noqa: PLR2004 - a UUID's form
        found = found.replace("-", "")
    if len(found) != digits or not set(found) <= _HEX or not int(found, 16):
        raise ValueError(f"{name}={text!r:.80} is not {digits} hexadecimal digits that are not all zero. {advice}")
    return int(found, 16)
