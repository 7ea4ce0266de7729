"""What goes into a step and comes out of it, as attributes. The content policy looks at them when the span ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracium.agents.encoding import as_json, as_text
from tracium.agents.messages import documents, messages, tool_call_parts, with_parts
from tracium.attributes import (
    GEN_AI_INPUT_MESSAGES,
    GEN_AI_OUTPUT_MESSAGES,
    GEN_AI_RETRIEVAL_DOCUMENTS,
    GEN_AI_TOOL_DEFINITIONS,
)

if TYPE_CHECKING:
    from tracium.agents.operations import Operation


class Content:
    """The content of one span; each method gives the attributes to be set.

    Args:
        operation: What the span describes.
    """

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        # A model's answer is told in two parts: its text, and the calls that it asks for.
        self._answer: list[dict[str, Any]] = []
        self._calls: list[dict[str, Any]] = []

    def put_input(self, data: object) -> dict[str, str]:
        """What goes in."""
        key = self._operation.input
        return {key: as_json(messages(data, "user")) if key == GEN_AI_INPUT_MESSAGES else as_text(data)}

    def put_output(self, data: object) -> dict[str, str]:
        """What comes out."""
        key = self._operation.output
        if key == GEN_AI_OUTPUT_MESSAGES:
            self._answer = messages(data, "assistant")
            return self._output_messages()
        return {key: documents(data) if key == GEN_AI_RETRIEVAL_DOCUMENTS else as_text(data)}

    def put_tool_calls(self, calls: object) -> dict[str, str]:
        """Which calls of tools came out."""
        self._calls = tool_call_parts(calls)
        return self._output_messages()

    @staticmethod
    def put_tools(tools: object) -> dict[str, str]:
        """Which tools there were."""
        return {GEN_AI_TOOL_DEFINITIONS: as_json(tools)}

    def _output_messages(self) -> dict[str, str]:
        return {GEN_AI_OUTPUT_MESSAGES: as_json(with_parts(self._answer, self._calls))}
