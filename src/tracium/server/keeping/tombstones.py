"""What was erased, remembered so that it does not come back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tracium.server.scope import TenantScope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.keeping.held import Held
    from tracium.server.keeping.subject import SubjectKey
    from tracium.server.store import Store

TABLE: Final = "tracium_erasures"
_COLUMNS: Final = ("Id", "Subject", "Before", "Phase", "At", "Erased")
_SUBJECTS: Final = f"(SELECT groupArray(Subject) FROM (SELECT Subject FROM {TABLE} GROUP BY Subject ORDER BY Subject))"  # noqa: S608 - constants
_MOMENTS: Final = (
    f"(SELECT groupArray(Until) FROM (SELECT max(Before) AS Until FROM {TABLE} GROUP BY Subject ORDER BY Subject))"  # noqa: S608 - constants
)
# Numbers in the text cost a write nothing, but a text has at most 256 KB; the table costs some milliseconds.
_MOST_LITERALS: Final = 500
_NEVER: Final = "toDateTime64(0, 9, 'UTC')"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One erasure, without the name of whom it was about."""

    id: str
    subject: int
    # What ended before it is kept out.
    before: datetime
    # Whether every row that was there is gone.
    is_done: bool


class Tombstones:
    """The erasures in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> tuple[Tombstone, ...]:
        """Every erasure that is remembered, the oldest first.

        Raises:
            StoreError: the store could not answer.
        """
        sql = (
            "SELECT Id, any(Subject) AS Of, max(Before) AS Until, countIf(Phase = 'done') > 0 AS IsDone "  # noqa: S608 - constants
            f"FROM {TABLE} GROUP BY Id ORDER BY Until, Id"
        )
        return tuple(
            Tombstone(row["Id"], row["Of"], _utc(row["Until"]), bool(row["IsDone"]))
            for row in self._store.rows(TenantScope.all(), sql)
        )

    def note(self, tombstone: Tombstone, erased: Mapping[str, int]) -> None:
        """Write an erasure, or its end; on return it survives a power cut.

        Raises:
            StoreError: it could not be written.
        """
        phase = "done" if tombstone.is_done else "begun"
        row = (tombstone.id, tombstone.subject, tombstone.before, phase, datetime.now(UTC), dict(erased))
        self._store.insert(TABLE, _COLUMNS, [row])

    def forget(self, before: datetime) -> None:
        """Forget the erasures of what is past every retention.

        Raises:
            StoreError: they could not be deleted.
        """
        seconds = int(before.timestamp())
        self._store.maintenance.run(f"ALTER TABLE {TABLE} DELETE WHERE Before < toDateTime64({seconds}, 0, 'UTC')")


def is_erased(key: SubjectKey, table: Held) -> str:
    """SQL: whether a row of a table is one that was erased, whoever wrote it again; it reads the tombstones itself."""
    end = f"addMinutes({table.time}, {table.minutes})" if table.minutes else table.time
    user = "UserId" if table.has_users else None
    compare = "<=" if table.minutes else "<"
    return ended_before(key, "TenantId", user, end, _SUBJECTS, _MOMENTS, compare)


def is_erased_by(key: SubjectKey, tenant: str, user: str, end: str, tombstones: tuple[Tombstone, ...]) -> str:
    """SQL: whether something is one of what these tombstones keep out.

    Args:
        key: the key of the hashes.
        tenant: SQL for its tenant.
        user: SQL for its user.
        end: SQL for its end.
        tombstones: at least one.
    """
    if len(tombstones) > _MOST_LITERALS:
        return ended_before(key, tenant, user, end, _SUBJECTS, _MOMENTS)
    latest: dict[int, datetime] = {}
    for one in tombstones:
        latest[one.subject] = max(one.before, latest.get(one.subject, one.before))
    subjects = ", ".join(f"{subject}::UInt64" for subject in latest)
    moments = ", ".join(
        f"fromUnixTimestamp64Micro({_microseconds(before)}::Int64, 'UTC')::DateTime64(9, 'UTC')"
        for before in latest.values()
    )
    return ended_before(key, tenant, user, end, f"[{subjects}]", f"[{moments}]")


def ended_before(  # noqa: PLR0913, PLR0917 - the parts of one expression
    key: SubjectKey, tenant: str, user: str | None, end: str, subjects: str, moments: str, compare: str = "<"
) -> str:
    """SQL: whether something ended before the moment of one of its subjects; every argument is SQL."""

    def erased(subject: str) -> str:
        return f"{end} {compare} transform({subject}, {subjects}, {moments}, {_NEVER})"

    of_tenant = erased(key.of_tenant(tenant))
    if user is None:
        return of_tenant
    of_user = " OR ".join(map(erased, key.subjects(tenant, user)[1:]))
    return f"({of_tenant} OR ({user} != '' AND ({of_user})))"


def _microseconds(at: datetime) -> int:
    return (at - datetime.fromtimestamp(0, UTC)) // (datetime.resolution)


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
