"""What a call has used, as its provider told LiteLLM: never what LiteLLM counts itself where a provider tells nothing."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# Providers that do not tell: LiteLLM counts with a tokenizer (`token_counter` in its `llms/*/transformation.py`).
_COUNTS_ITSELF: Final = frozenset(
    {
        "a2a",
        "a2a_agent",
        "aleph_alpha",
        "langflow",
        "langgraph",
        "petals",
        "predibase",
        "replicate",
        "sagemaker",
        "vertex_agent_engine",
    }
)
_COUNTS_EMBEDDINGS_ITSELF: Final = frozenset({"gemini", "huggingface", "triton"})
# Their reasoning is counted so, from its text: they tell the whole output only.
_COUNTS_REASONING_ITSELF: Final = frozenset({"anthropic", "bedrock", "bedrock_converse"})


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, in the words of the conventions: https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/.

    Attributes:
        input: With what was read from and written to the cache.
        output: With the reasoning.
        cache_read: Of the input.
        cache_write: Of the input.
        reasoning: Of the output.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(_sum(getattr(self, each.name), getattr(other, each.name)) for each in fields(self)))

    def at_least(self, other: Usage) -> Usage:
        """The one of both that is more."""
        return self if _total(self) >= _total(other) else other

    def without_output(self) -> Usage:
        """The input alone: some providers tell a first number of the output when a stream begins."""
        return Usage(self.input, None, self.cache_read, self.cache_write)


def counts_itself(provider: str, model: str, *, embedding: bool) -> bool:
    """Whether LiteLLM makes up what a provider does not tell."""
    if embedding:
        return provider in _COUNTS_EMBEDDINGS_ITSELF or provider in _COUNTS_ITSELF
    return provider in _COUNTS_ITSELF or "agentcore/" in model


def told(usage: Any, provider: str, model: str) -> Usage | None:
    """What LiteLLM's object of usage says, of either interface; None if it says nothing.

    An object of nothing but zeros is what LiteLLM makes where there is none.
    """
    if usage is None or type(usage).__name__ == "UnreportedUsage":
        return None
    given, taken = _first(usage, "prompt_tokens", "input_tokens"), _first(usage, "completion_tokens", "output_tokens")
    if not given and not taken:
        return None
    inner = _first(usage, "prompt_tokens_details", "input_tokens_details")
    outer = _first(usage, "completion_tokens_details", "output_tokens_details")
    estimated = provider in _COUNTS_REASONING_ITSELF or "claude" in model
    return Usage(
        _count(given),
        _count(taken),
        _count(_first(inner, "cached_tokens")),
        _count(_first(inner, "cache_write_tokens", "cache_creation_tokens")),
        None if estimated else _count(_first(outer, "reasoning_tokens")),
    )


def told_by_pieces(pieces: Iterable[Any], provider: str, model: str) -> Usage | None:
    """What the pieces of a stream say together, as its provider sent them.

    Each number is a running one, and what a later piece leaves out, or sets to zero, stays as it was.
    """
    usages = [told(_first(piece, "usage"), provider, model) for piece in pieces]
    known = [usage for usage in usages if usage is not None]
    if not known:
        return None
    return Usage(*(_last(getattr(usage, each.name) for usage in known) for each in fields(Usage)))


def _first(thing: Any, *names: str) -> Any:
    for name in names:
        value = thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)
        if value is not None:
            return value
    return None


def _last(counts: Iterable[int | None]) -> int | None:
    found = None
    for count in counts:
        if count or found is None:
            found = count if count is not None else found
    return found


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other


def _total(usage: Usage) -> int:
    return (usage.input or 0) + (usage.output or 0)
