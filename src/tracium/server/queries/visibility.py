"""What of a span is shown to whom: attributes, content and stack traces only as they are granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracium import attributes
from tracium.server.access.principal import Grant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.access.principal import Principal

# What was said to models and by them, under the names of the conventions and of instrumentations.
_CONTENT: Final = frozenset(
    {
        attributes.GEN_AI_INPUT_MESSAGES,
        attributes.GEN_AI_OUTPUT_MESSAGES,
        attributes.GEN_AI_TOOL_DEFINITIONS,
        attributes.GEN_AI_TOOL_ARGUMENTS,
        attributes.GEN_AI_TOOL_RESULT,
        attributes.GEN_AI_RETRIEVAL_QUERY,
        attributes.GEN_AI_RETRIEVAL_DOCUMENTS,
        attributes.AGENT_INPUT,
        attributes.AGENT_OUTPUT,
        attributes.SUMMARY,
        "gen_ai.system_instructions",
        "gen_ai.prompt",
        "gen_ai.completion",
        "gen_ai.tool.message",
        "gen_ai.event.content",
        "input.value",
        "output.value",
        "message.content",
        "content",
        # Of the events gen_ai.choice and the like, and of the SDKs that write their own names.
        "message",
        "tool_calls",
        "final_result",
        "all_messages_events",
        "events",
        "prompt",
        "completion",
        "request_data",
        "response_data",
        "tool_arguments",
        "tool_response",
        "document.content",
        "embedding.text",
        "mlflow.spanInputs",
        "mlflow.spanOutputs",
        "tool_call.function.arguments",
    }
)
_CONTENT_STARTS: Final = (
    "gen_ai.prompt.",
    "gen_ai.completion.",
    "gen_ai.input.",
    "gen_ai.output.messages.",
    "gen_ai.content.",
    "gen_ai.evaluation.",
    "gen_ai.memory.",
    "ai.prompt",
    "ai.response.object",
    "ai.response.reasoning",
    "ai.response.text",
    "ai.response.toolCalls",
    "ai.toolCall.args",
    "ai.toolCall.result",
    "ai.value",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "langfuse.trace.input",
    "langfuse.trace.output",
    "langsmith.inputs",
    "langsmith.outputs",
    "pydantic_ai.all_messages",
    "llm.input_messages",
    "llm.output_messages",
    "llm.prompts",
    "llm.completions",
    "llm.prompt_template",
    "llm.tools",
    "llm.function_call",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "retrieval.documents",
    "reranker.",
    "embedding.embeddings",
    "tool.parameters",
    "input.",
    "output.",
)
_STACK_TRACES: Final = frozenset({attributes.EXCEPTION_STACKTRACE, attributes.CODE_STACKTRACE})


def is_content(key: str) -> bool:
    """Whether an attribute holds what was said to a model, a tool or an agent, or by it."""
    return key in _CONTENT or key.startswith(_CONTENT_STARTS)


def shown(asker: Principal, values: Mapping[str, str]) -> dict[str, str]:
    """The attributes that `asker` may see."""
    return {key: value for key, value in values.items() if asker.may(_needed(key))}


def shown_message(asker: Principal, message: str) -> str:
    """A status message; its further lines are a stack trace's."""
    return message if asker.may(Grant.STACKTRACES) else message.partition("\n")[0]


def _needed(key: str) -> Grant:
    if is_content(key):
        return Grant.CONTENT
    return Grant.STACKTRACES if key in _STACK_TRACES else Grant.ATTRIBUTES
