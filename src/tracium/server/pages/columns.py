"""The spans of a trace as columns: all that a waterfall is drawn from, in as few bytes as 10,000 spans can be told in.

A span's id is half of what a row would weigh, and it cannot be compressed. So only as much of it is sent as tells the span
from others of its name; `queries.trace.named_span` finds it again. Starts are whole ticks since the start of the row above.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from tracium.server.queries.trace import NAME_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracium.server.queries.trace import SpanRow

# Of so many parts of its length a waterfall shows the difference: no screen has more.
_TICKS: Final = 4000
LOOKS: Final = ("other", "request", "agent", "tool", "call")


@dataclass(frozen=True, slots=True)
class Words:
    """Texts of which many are alike: each once, and where each is used."""

    texts: tuple[str, ...]
    # 0: the next text that was not used yet; else which text it is, counted from 1.
    used: tuple[int, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Words:
        """The texts, in their order."""
        known: dict[str, int] = {}
        used: list[int] = []
        for text in texts:
            used.append(known.get(text, 0))
            known.setdefault(text, len(known) + 1)
        return cls(tuple(known), tuple(used))

    def told(self) -> dict[str, Sequence[Any]]:
        """As JSON has it."""
        return {"texts": self.texts, "used": self.used}


def columns_of(tree: Sequence[tuple[int, SpanRow]], at: str | None) -> dict[str, Any]:
    """One list for each column.

    Args:
        tree: each span with its depth, in the order of the waterfall.
        at: the id of the span to begin with.
    """
    rows = [row for _, row in tree]
    tick = max((row.start_ms + row.duration_ms for row in rows), default=0) / _TICKS or 1e-6
    starts = [round(row.start_ms / tick) for row in rows]
    return {
        "depth": [depth for depth, _ in tree],
        "orphans": [at for at, (depth, row) in enumerate(tree) if not depth and row.parent_span_id],
        "errors": [at for at, row in enumerate(rows) if row.status == "Error"],
        "id": " ".join(beginnings(rows)),
        "name": Words.of(row.name for row in rows).told(),
        "service": Words.of(row.service for row in rows).told(),
        "look": "".join(str(LOOKS.index(_look(row))) for row in rows),
        "tick": tick,
        "start": [after - before for before, after in pairwise([0, *starts])],
        "duration": [_rounded(row.duration_ms) for row in rows],
        "at": next((place for place, row in enumerate(rows) if row.span_id == at), 0),
    }


def beginnings(rows: Sequence[SpanRow]) -> list[str]:
    """As much of each span's id as tells it from the other spans of its name, which may be nothing."""
    ids = sorted({_key(row) for row in rows})
    needed = dict.fromkeys(ids, 0)
    for one, other in pairwise(ids):
        if one[0] == other[0]:
            length = _shared(one[1], other[1]) + 1
            needed[one] = max(needed[one], length)
            needed[other] = max(needed[other], length)
    return [row.span_id[: needed[_key(row)]] for row in rows]


def _key(row: SpanRow) -> tuple[str, str]:
    return row.name[:NAME_LENGTH], row.span_id


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), len(one))


def _look(row: SpanRow) -> str:
    done = row.operation or ""
    if done == "execute_tool":
        return "tool"
    if "agent" in done:
        return "agent"
    if done:
        return "call"
    return "request" if row.kind in {"Server", "Consumer"} else "other"


def _rounded(milliseconds: float) -> float:
    """Three digits, as they are shown; whole numbers without a point, which is two bytes less."""
    short = float(f"{milliseconds:.3g}")
    return int(short) if short.is_integer() else short
