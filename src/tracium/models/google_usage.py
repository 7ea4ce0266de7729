"""What the requests of one call of Google's client have used."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from tracium.attributes import USAGE_UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(slots=True)
class Counts:
    """Tokens, in the words of the conventions: https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/.

    Attributes:
        input: With what the cache held, and with what tools that the model has itself (a search) put into the prompt.
        output: With the thoughts.
        cache_read: Of the input, what the cache held.
        reasoning: Of the output, the thoughts.
        inputs: Of the input, by modality.
        outputs: Of the output, by modality.
        cached: Of what the cache held, by modality.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    reasoning: int | None = None
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    cached: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, usage: Any) -> Counts:
        """What Google's `usage_metadata` says: https://ai.google.dev/api/generate-content#UsageMetadata."""
        return cls(
            _sum(usage.prompt_token_count, getattr(usage, "tool_use_prompt_token_count", None)),
            _sum(usage.candidates_token_count, usage.thoughts_token_count),
            usage.cached_content_token_count,
            usage.thoughts_token_count,
            _by_modality(usage.prompt_tokens_details),
            _by_modality(usage.candidates_tokens_details),
            _by_modality(usage.cache_tokens_details),
        )

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(_added(getattr(self, each.name), getattr(other, each.name)) for each in fields(self)))


class Tally:
    """The requests of one call, and what they have used together.

    Args:
        data: What the call knows of itself. What is written there is taken for what the call's own instrumentation does
            not say; it is all that remains if a later request fails.
    """

    def __init__(self, data: Any) -> None:
        self._data = data
        self._before = Counts()
        self._latest: Counts | None = None
        self._requests = 0
        self._told = 0

    def begin(self) -> None:
        """Another request is sent."""
        if self._latest is not None:
            self._before, self._latest = self._before + self._latest, None
        self._requests += 1

    def take(self, usage: Any) -> None:
        """The request was answered, or a piece of the answer is there; each piece has what was used until then."""
        if usage is None:
            return
        if self._latest is None:
            self._told += 1
        self._latest = Counts.of(usage)
        whole = self._whole
        self._data.usage_input_tokens = whole.input
        self._data.usage_output_tokens = whole.output
        self._data.usage_cache_read_input_tokens = whole.cache_read
        self._data.usage_reasoning_output_tokens = whole.reasoning

    def tell(self, invocation: Any) -> None:
        """Let a call's instrumentation tell all requests' tokens instead of the last one's."""
        if not self._told:
            return
        whole = self._whole
        invocation.input_tokens, invocation.output_tokens = whole.input, whole.output
        invocation.cache_read_input_tokens, invocation.thinking_tokens = whole.cache_read, whole.reasoning
        if self._requests > 1:
            invocation.set_input_tokens(whole.inputs.items())
            invocation.set_output_tokens(whole.outputs.items())
            invocation.set_cache_read_input_tokens(whole.cached.items())
        if self._told < self._requests:
            invocation.attributes[USAGE_UNKNOWN] = True
        else:
            invocation.attributes.pop(USAGE_UNKNOWN, None)

    @property
    def _whole(self) -> Counts:
        return self._before if self._latest is None else self._before + self._latest


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _added(one: Any, other: Any) -> Any:
    if isinstance(one, dict):
        return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
    return _sum(one, other)


def _by_modality(details: Iterable[Any] | None) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in details or ():
        name = str(getattr(each.modality, "value", each.modality or ""))
        counts[name] = counts.get(name, 0) + (each.token_count or 0)
    return counts
