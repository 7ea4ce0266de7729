"""Spans in the order of a waterfall, for whoever reads it as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracium.server.queries.trace import SpanRow


def nested(rows: Sequence[SpanRow]) -> list[tuple[int, SpanRow]]:
    """Each span with its depth, below the one that began it; one whose parent is not here begins a tree."""
    ids = {row.span_id for row in rows}
    below: dict[str, list[SpanRow]] = {}
    for row in sorted(rows, key=lambda row: row.start_ms):
        has_parent = row.parent_span_id in ids and row.parent_span_id != row.span_id
        below.setdefault(row.parent_span_id or "" if has_parent else "", []).append(row)
    made: list[tuple[int, SpanRow]] = []
    seen: set[str] = set()
    stack = [(0, row) for row in reversed(below.get("", []))]
    while stack:
        depth, row = stack.pop()
        made.append((depth, row))
        if row.span_id not in seen:
            seen.add(row.span_id)
            stack += [(depth + 1, child) for child in reversed(below.get(row.span_id, []))]
    # Spans that are each other's ancestors hang on nothing.
    return made + [(0, row) for row in rows if row.span_id not in seen]
