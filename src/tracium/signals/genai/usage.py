"""What a span says of a model call: which kind it is, whether its usage is known, and which attributes hold that.

The names are OpenTelemetry's (https://opentelemetry.io/docs/specs/semconv/gen-ai/), with the older ones and those of
OpenInference (https://github.com/Arize-ai/openinference/tree/main/spec) and OpenLLMetry, whose instrumentations many apps
have beside OpenTelemetry's.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final

from tracium.attributes import GEN_AI_OPERATION, GEN_AI_RESPONSE_ID, OPENINFERENCE_KIND, TRACELOOP_REQUEST

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(enum.Enum):
    """Kinds of model calls: what is summed. Agents, workflows, tools and retrievals are none."""

    INFERENCE = enum.auto()
    EMBEDDINGS = enum.auto()


_OPERATIONS: Final[Mapping[str, Kind]] = {
    "chat": Kind.INFERENCE,
    "text_completion": Kind.INFERENCE,
    "generate_content": Kind.INFERENCE,
    "embeddings": Kind.EMBEDDINGS,
}
_OPENINFERENCE: Final[Mapping[str, Kind]] = {"LLM": Kind.INFERENCE, "EMBEDDING": Kind.EMBEDDINGS}
_TRACELOOP: Final[Mapping[str, Kind]] = {
    "chat": Kind.INFERENCE,
    "completion": Kind.INFERENCE,
    "embedding": Kind.EMBEDDINGS,
}
_USAGE: Final = ("gen_ai.usage.", "llm.usage.", "llm.token_count.")
_INPUT: Final = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
_OUTPUT: Final = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")
# What only a call has that was answered, in part at least.
_ANSWERED: Final = (
    GEN_AI_RESPONSE_ID,
    "gen_ai.response.model",
    "gen_ai.response.finish_reasons",
    "gen_ai.response.time_to_first_chunk",
)


def kind_of(values: Mapping[str, Any]) -> Kind | None:
    """The kind of model call that a span with these attributes describes, or None if it describes none."""
    operation = values.get(GEN_AI_OPERATION)
    if operation is not None:
        return _OPERATIONS.get(str(operation))
    return _OPENINFERENCE.get(str(values.get(OPENINFERENCE_KIND))) or _TRACELOOP.get(str(values.get(TRACELOOP_REQUEST)))


def usage_keys(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The attributes that say how much was used."""
    return tuple(key for key in values if key.startswith(_USAGE))


def totals(values: Mapping[str, Any]) -> tuple[object, object]:
    """Input and output tokens; None where unknown."""
    return _first(values, _INPUT), _first(values, _OUTPUT)


def answered(values: Mapping[str, Any]) -> bool:
    """Whether the model had begun to answer, so that something was used."""
    return any(key in values for key in _ANSWERED)


def _first(values: Mapping[str, Any], keys: tuple[str, ...]) -> object:
    return next((values[key] for key in keys if key in values), None)
