"""How OpenTelemetry's conventions name and describe what an agent does.

https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import SpanKind

from tracium.attributes import (
    AGENT_INPUT,
    AGENT_OUTPUT,
    GEN_AI_AGENT_NAME,
    GEN_AI_DATA_SOURCE,
    GEN_AI_INPUT_MESSAGES,
    GEN_AI_OUTPUT_MESSAGES,
    GEN_AI_REQUEST_MODEL,
    GEN_AI_RETRIEVAL_DOCUMENTS,
    GEN_AI_RETRIEVAL_QUERY,
    GEN_AI_TOOL_ARGUMENTS,
    GEN_AI_TOOL_NAME,
    GEN_AI_TOOL_RESULT,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Operation:
    """What one kind of work is called, and where what is known of it stands.

    Attributes:
        name: `gen_ai.operation.name`, with which the span's name begins.
        named_by: The attribute for the name of what is used; None if only the span's name has it.
        input: The attribute for what goes in.
        output: The attribute for what comes out.
        kind: Of the span.
        calls_model: Whether its usage is a model call's and is summed.
    """

    name: str
    named_by: str | None = None
    input: str = AGENT_INPUT
    output: str = AGENT_OUTPUT
    kind: SpanKind = SpanKind.INTERNAL
    calls_model: bool = False


INVOKE_AGENT: Final = Operation("invoke_agent", GEN_AI_AGENT_NAME, GEN_AI_INPUT_MESSAGES, GEN_AI_OUTPUT_MESSAGES)
_EMBEDDINGS: Final = Operation("embeddings", GEN_AI_REQUEST_MODEL, kind=SpanKind.CLIENT, calls_model=True)
_TOOL: Final = Operation("execute_tool", GEN_AI_TOOL_NAME, GEN_AI_TOOL_ARGUMENTS, GEN_AI_TOOL_RESULT)


def _inference(name: str) -> Operation:
    return Operation(
        name, GEN_AI_REQUEST_MODEL, GEN_AI_INPUT_MESSAGES, GEN_AI_OUTPUT_MESSAGES, SpanKind.CLIENT, calls_model=True
    )


CHAT: Final = _inference("chat")
_OPERATIONS: Final[Mapping[str, Operation]] = {
    "llm": CHAT,
    "chat": CHAT,
    "text_completion": _inference("text_completion"),
    "generate_content": _inference("generate_content"),
    "embedding": _EMBEDDINGS,
    "embeddings": _EMBEDDINGS,
    "tool": _TOOL,
    "execute_tool": _TOOL,
    "retrieval": Operation(
        "retrieval", GEN_AI_DATA_SOURCE, GEN_AI_RETRIEVAL_QUERY, GEN_AI_RETRIEVAL_DOCUMENTS, SpanKind.CLIENT
    ),
    "invoke_agent": INVOKE_AGENT,
}


def operation_of(span_type: str) -> Operation:
    """The operation that a kind of step is; a word that the conventions do not have is its own."""
    return _OPERATIONS.get(span_type) or Operation(span_type)
