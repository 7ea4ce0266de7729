"""Which attributes hold prompts and answers, by their keys.

The names are OpenTelemetry's (https://opentelemetry.io/docs/specs/semconv/gen-ai/), those of the conventions before it,
and those of OpenLLMetry, OpenInference (https://github.com/Arize-ai/openinference/tree/main/spec), LiteLLM, Google's ADK,
Langfuse, Pydantic AI, Haystack, LiveKit and the SDKs that make spans themselves.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final

from tracium.attributes import (
    GEN_AI_AGENT_NAME,
    GEN_AI_OPERATION,
    GEN_AI_REQUEST_MODEL,
    GEN_AI_SYSTEM,
    GEN_AI_TOOL_NAME,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Holds(enum.Enum):
    """What an attribute holds."""

    # Nothing that anybody said.
    PLAIN = enum.auto()
    # Something that was said to a model or by it, or to a tool or by it.
    CONTENT = enum.auto()
    # Nobody knows, in a namespace where content stands: text counts as content, numbers and truth values do not.
    UNKNOWN = enum.auto()
    # Content if the span tells otherwise that it is of a model or an agent: the name alone says nothing.
    CONTENT_IF_GENAI = enum.auto()


# A name stands for itself and for all that begin with it and a dot; of several the longest counts. What is under none
# of them is plain.
_CONTENT: Final = (
    "anthropic.tool_result",
    "audio.transcript",
    "audio.url",
    "document.content",
    "document.metadata",
    "embedding.embeddings",
    "embedding.text",
    "embedding.vector",
    "gcp.vertex.agent.data",
    "gcp.vertex.agent.llm_request",
    "gcp.vertex.agent.llm_response",
    "gcp.vertex.agent.tool_call_args",
    "gcp.vertex.agent.tool_response",
    "gen_ai.assistant",
    "gen_ai.choice",
    "gen_ai.completion",
    "gen_ai.content",
    "gen_ai.evaluation.explanation",
    "gen_ai.event.content",
    "gen_ai.input",
    "gen_ai.memory",
    "gen_ai.output",
    "gen_ai.prompt",
    "gen_ai.retrieval.documents",
    "gen_ai.retrieval.query",
    "gen_ai.system.message",
    "gen_ai.system_instructions",
    "gen_ai.tool.call",
    "gen_ai.tool.definitions",
    "gen_ai.tool.message",
    "gen_ai.user",
    "haystack.component.input",
    "haystack.component.output",
    "haystack.pipeline.input_data",
    "haystack.pipeline.output_data",
    "image.url",
    "input.value",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "langfuse.trace.input",
    "langfuse.trace.output",
    "langsmith.attachments",
    "litellm.guardrail.response",
    "lk.chat_ctx",
    "lk.function_tool.arguments",
    "lk.function_tool.output",
    "lk.input_text",
    "lk.instructions",
    "lk.pii",
    "lk.response",
    "lk.user_input",
    "lk.user_transcript",
    "llm.choices",
    "llm.completions",
    "llm.content",
    "llm.function_call",
    "llm.input_messages",
    "llm.invocation_parameters",
    "llm.output_messages",
    "llm.prompt_template",
    "llm.prompts",
    "llm.request.functions",
    "llm.tools",
    "mcp.request.argument",
    "mcp.response.value",
    "message_content",
    "output.value",
    "pydantic_ai.all_messages",
    "reranker.input_documents",
    "reranker.output_documents",
    "reranker.query",
    "retrieval.documents",
    "tool.arguments",
    "tool.input",
    "tool.output",
    "tool.parameters",
    "tool.result",
    "tracium.input",
    "tracium.summary",
    "tracium.output",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "traceloop.prompt",
)
_UNKNOWN: Final = ("gcp.gen_ai", "gcp.vertex.agent", "gen_ai", "llm", "mcp")
# These stand for themselves alone: what is below them is not known.
_PLAIN: Final = frozenset(
    {
        "gcp.vertex.agent.associated_event_ids",
        "gcp.vertex.agent.event_id",
        "gcp.vertex.agent.invocation_id",
        "gcp.vertex.agent.session_id",
        "gen_ai.agent.description",
        "gen_ai.agent.id",
        "gen_ai.agent.name",
        "gen_ai.agent.version",
        "gen_ai.conversation.id",
        "gen_ai.data_source.id",
        "gen_ai.evaluation.name",
        "gen_ai.evaluation.score.label",
        "gen_ai.framework",
        "gen_ai.openai.api.type",
        "gen_ai.openai.request.response_format",
        "gen_ai.openai.request.service_tier",
        "gen_ai.openai.response.service_tier",
        "gen_ai.openai.response.system_fingerprint",
        "gen_ai.operation.name",
        "gen_ai.output.type",
        "gen_ai.prompt.name",
        "gen_ai.prompt.version",
        "gen_ai.provider.name",
        "gen_ai.request.encoding_formats",
        "gen_ai.request.id",
        "gen_ai.request.model",
        "gen_ai.request.previous_response.id",
        "gen_ai.request.reasoning.effort",
        "gen_ai.request.reasoning.level",
        "gen_ai.request.service_tier",
        "gen_ai.request.stop_sequences",
        "gen_ai.request.stream_cursor",
        "gen_ai.request.type",
        "gen_ai.response.finish_reason",
        "gen_ai.response.finish_reasons",
        "gen_ai.response.id",
        "gen_ai.response.model",
        "gen_ai.response.service_tier",
        "gen_ai.response.status",
        "gen_ai.response.system_fingerprint",
        "gen_ai.system",
        "gen_ai.token.type",
        "gen_ai.tool.call.id",
        "gen_ai.tool.description",
        "gen_ai.tool.name",
        "gen_ai.tool.type",
        "gen_ai.workflow.name",
        "llm.finish_reason",
        "llm.model",
        "llm.model_name",
        "llm.prompt_template.version",
        "llm.provider",
        "llm.request.model",
        "llm.request.type",
        "llm.response.finish_reason",
        "llm.response.id",
        "llm.response.model",
        "llm.response.stop_reason",
        "llm.system",
        "llm.user",
        "llm.vendor",
        "mcp.client.name",
        "mcp.client.version",
        "mcp.method.name",
        "mcp.prompt.name",
        "mcp.protocol.version",
        "mcp.request.id",
        "mcp.resource.uri",
        "mcp.server.name",
        "mcp.server.version",
        "mcp.session.id",
        "mcp.tool.name",
        "mcp.transport",
        "mcp.transport.type",
    }
)
# These for themselves and for all below them, as those above.
_PLAIN_BELOW: Final = ("gen_ai.cost", "gen_ai.usage", "llm.cost", "llm.token_count", "llm.usage")
_CONTENT_IF_GENAI: Final = (
    "all_messages_events",
    "events",
    "final_result",
    "guardrail_response",
    "model_request_parameters",
    "request_data",
    "response_data",
    "tool_arguments",
    "tool_response",
)
_RULES: Final[Mapping[str, Holds]] = {
    **dict.fromkeys(_UNKNOWN, Holds.UNKNOWN),
    **dict.fromkeys(_PLAIN_BELOW, Holds.PLAIN),
    **dict.fromkeys(_CONTENT, Holds.CONTENT),
    **dict.fromkeys(_CONTENT_IF_GENAI, Holds.CONTENT_IF_GENAI),
}
_GENAI: Final = (GEN_AI_OPERATION, GEN_AI_REQUEST_MODEL, GEN_AI_TOOL_NAME, GEN_AI_AGENT_NAME, GEN_AI_SYSTEM)
# What an event of a model has without a namespace and is nothing that was said.
_EVENT_FIELDS: Final = frozenset({"event_name", "finish_reason", "id", "index", "name", "role", "type"})

# Plain keys that were seen. Apps use few, but some make them up as they go, so they are forgotten when they are many.
_seen_plain: set[str] = set()
_MANY: Final = 4096


def all_plain(keys: Iterable[str]) -> bool:
    """Whether all `keys` are known to hold no content: one look for spans that have none."""
    return _seen_plain.issuperset(keys)


def holds(key: str) -> Holds:
    """What the attribute `key` of a span or a log record holds."""
    name = "" if key in _PLAIN else key
    while name:
        found = _RULES.get(name)
        if found is not None:
            break
        name = name.rpartition(".")[0]
    else:
        found = Holds.PLAIN
    if found is Holds.PLAIN:
        if len(_seen_plain) >= _MANY:
            _seen_plain.clear()
        _seen_plain.add(key)
    return found


def holds_in_event(key: str) -> Holds:
    """What the attribute `key` of an event of a model holds: there content has short names too."""
    if "." in key and not key.startswith("message."):
        return holds(key)
    return Holds.PLAIN if key in _EVENT_FIELDS else Holds.CONTENT


def is_genai(values: Mapping[str, Any]) -> bool:
    """Whether a span with these attributes is one of a model, a tool or an agent."""
    return any(key in values for key in _GENAI)


def is_genai_event(name: object) -> bool:
    """Whether an event of this name tells what was said to a model or by it."""
    return isinstance(name, str) and name.startswith(("gen_ai.", "llm."))
