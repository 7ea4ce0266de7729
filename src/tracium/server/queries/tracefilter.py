"""Which traces are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tracium.server.scope import literal


class Status(StrEnum):
    """How a span ended."""

    ERROR = "error"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """Traces with a span that is all of this at once; None asks for nothing."""

    status: Status | None = None
    # The response's model, or the requested one where the response named none.
    model: str | None = None
    agent: str | None = None
    user: str | None = None
    session: str | None = None
    # `gen_ai.operation.name`.
    operation: str | None = None
    error_type: str | None = None
    # A part of the span's name or of its status message, in capitals or not.
    text: str | None = None
    # Whether `text` is looked for in attributes and whole messages, too.
    with_attributes: bool = False
    minimum_ms: float | None = None

    def condition(self) -> str:
        """The filter as an SQL expression over spans, with every value as a literal."""
        equal = {
            "Model": self.model,
            "AgentName": self.agent,
            "UserId": self.user,
            "SessionId": self.session,
            "Operation": self.operation,
            "ErrorType": self.error_type,
        }
        parts = [f"{column} = {literal(value)}" for column, value in equal.items() if value is not None]
        if self.status is not None:
            parts.append("IsError" if self.status is Status.ERROR else "NOT IsError")
        if self.minimum_ms is not None:
            parts.append(f"toInt64(Duration) >= {round(self.minimum_ms * 1e6)}")
        if self.text:
            parts.append(self._has_text(literal(self.text)))
        return " AND ".join(parts) or "true"

    def _has_text(self, wanted: str) -> str:
        # The further lines of a message are a stack trace's.
        message = "StatusMessage" if self.with_attributes else "splitByChar('\\n', StatusMessage)[1]"
        places = ["SpanName", message]
        found = [f"positionCaseInsensitiveUTF8({place}, {wanted}) > 0" for place in places]
        if self.with_attributes:
            found.append(
                f"arrayExists(value -> positionCaseInsensitiveUTF8(value, {wanted}) > 0, mapValues(SpanAttributes))"
            )
        return f"({' OR '.join(found)})"
