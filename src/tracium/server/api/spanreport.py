"""One span as an answer."""

from __future__ import annotations

from dataclasses import dataclass

from tracium.server.queries import SpanDetail  # noqa: TC001 - the schema of the answer is made from it


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanReport:
    """The span, as the one row."""

    rows: tuple[SpanDetail, ...]

    @property
    def has_content(self) -> bool:
        """Whether it shows what was said to a model, a tool or an agent, or by it."""
        return any(row.has_content for row in self.rows)
