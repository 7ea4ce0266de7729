"""What was erased, as it is told to whoever asked for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One erasure; the store keeps it without the names."""

    id: str
    tenant: str | None
    user: str | None
    # What ended before it and arrives later is kept out.
    before: datetime
    finished: datetime
    # How many rows went, by table.
    rows: Mapping[str, int]
    # Whether the files that the rows were in are gone from the disk.
    files_removed: bool
    # What was left, and why.
    kept: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON's types; times are ISO 8601 in UTC."""
        times = {"before": self.before.isoformat(), "finished": self.finished.isoformat()}
        return asdict(self) | {"kept": list(self.kept), "rows": dict(self.rows)} | times

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            KeyError: a field is missing.
            ValueError: a time is none.
        """
        names = ("id", "tenant", "user", "rows", "files_removed")
        return cls(
            **{name: value[name] for name in names},
            before=datetime.fromisoformat(value["before"]),
            finished=datetime.fromisoformat(value["finished"]),
            kept=tuple(value["kept"]),
        )
