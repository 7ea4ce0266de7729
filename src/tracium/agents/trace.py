"""An agent's run as one trace: a thin layer over OpenTelemetry's GenAI conventions.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-agent-spans/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.trace import SpanKind

from tracium.agents.span import AgentSpan
from tracium.attributes import GEN_AI_AGENT_NAME, GEN_AI_AGENT_VERSION, GEN_AI_OPERATION, GEN_AI_TOOL_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

_INVOKE_AGENT: Final = "invoke_agent"
# Kind of step: its operation in the conventions, and the attribute that names what is used.
_OPERATIONS: Final[Mapping[str, tuple[str, str | None]]] = {
    "llm": ("chat", None),
    "tool": ("execute_tool", GEN_AI_TOOL_NAME),
    "retrieval": ("retrieval", None),
}


class AgentTrace(AgentSpan):
    """One run of an agent: the span `invoke_agent`, and the steps below it."""

    def __init__(self, agent_name: str, version: str | None = None) -> None:
        attributes: dict[str, AttributeValue] = {GEN_AI_OPERATION: _INVOKE_AGENT, GEN_AI_AGENT_NAME: agent_name}
        if version is not None:
            attributes[GEN_AI_AGENT_VERSION] = version
        super().__init__(f"{_INVOKE_AGENT} {agent_name}", attributes, SpanKind.INTERNAL)

    def span(self, span_type: str, name: str | None = None) -> AgentSpan:
        """One step of the run, to be entered with `with` or `async with`.

        Args:
            span_type: `llm`, `tool`, `retrieval`, or a word of your own such as `plan`.
            name: What is used or done: the model, the tool, the source.
        """
        return step(span_type, name, self)


def step(span_type: str, name: str | None = None, above: AgentSpan | None = None) -> AgentSpan:
    """A span for one step of an agent, under the current one or, where that is no part of the run, under `above`."""
    operation, named_by = _OPERATIONS.get(span_type, (span_type, None))
    attributes: dict[str, AttributeValue] = {GEN_AI_OPERATION: operation}
    if name is not None and named_by is not None:
        attributes[named_by] = name
    kind = SpanKind.CLIENT if span_type == "llm" else SpanKind.INTERNAL
    return AgentSpan(operation if name is None else f"{operation} {name}", attributes, kind, above)


def start_trace(agent_name: str, *, version: str | None = None) -> AgentTrace:
    """One run of an agent, to be entered with `with` or `async with`.

    Args:
        agent_name: Name of the agent: `gen_ai.agent.name`.
        version: Version of the agent: `gen_ai.agent.version`.

    Example:
        with tracium.start_trace(agent_name="my-agent") as trace:
            with trace.span("tool", "search"):
                ...
    """
    return AgentTrace(agent_name, version)
