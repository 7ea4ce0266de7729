"""The audit log: what was done with an administrator's power, and who read content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from tracium.server.scope import TenantScope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.access.principal import Principal
    from tracium.server.store import Store

_TABLE: Final = "tracium_audit"
_COLUMNS: Final = ("Time", "Principal", "Kind", "Action", "Target", "Detail", "Address")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done."""

    time: datetime
    # The id of a token, or "operator".
    principal: str
    kind: str
    # Such as token.create or content.read.
    action: str
    # What it was done to: a token's id, a trace's, a tenant's.
    target: str
    detail: str
    # Where the request came from; '' for a command that worked on the store itself.
    address: str

    def to_json(self) -> dict[str, str]:
        """Everything; the time is ISO 8601 in UTC."""
        names = ("principal", "kind", "action", "target", "detail", "address")
        return {"time": self.time.isoformat(), **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            KeyError: a field is missing.
            ValueError: the time is none.
        """
        return cls(**{**value, "time": datetime.fromisoformat(value["time"])})


class Audit:
    """Entries are added, and never changed or removed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, principal: Principal, action: str, target: str = "", *, detail: str = "", address: str = "") -> None:
        """Write one entry; on return it survives a power cut.

        To be called before what it tells of is done or answered: what cannot be noted must not happen.

        Args:
            principal: who.
            action: what, such as ``content.read``.
            target: to what, such as a trace id.
            detail: what else there is to know; never content.
            address: where the request came from.

        Raises:
            StoreError: it could not be written.
        """
        row = (datetime.now(UTC), principal.id, principal.kind.value, action, target, detail, address)
        self._store.insert(_TABLE, _COLUMNS, [row])

    def entries(self, since: datetime, limit: int) -> tuple[Entry, ...]:
        """The newest entries, the newest first.

        Args:
            since: from when on.
            limit: how many at most.

        Raises:
            StoreError: the store could not answer.
        """
        sql = (
            f"SELECT {', '.join(_COLUMNS)} FROM {_TABLE} WHERE Time >= fromUnixTimestamp64Micro({{since:Int64}}, 'UTC') "  # noqa: S608 - constants
            "ORDER BY Time DESC LIMIT {limit:UInt32}"
        )
        microseconds = int(since.timestamp() * 1_000_000)
        rows = self._store.rows(TenantScope.all(), sql, {"since": microseconds, "limit": limit})
        return tuple(map(_entry, rows))


def _entry(row: Mapping[str, Any]) -> Entry:
    time: datetime = row["Time"]
    in_utc = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    return Entry(in_utc, row["Principal"], row["Kind"], row["Action"], row["Target"], row["Detail"], row["Address"])
