"""Deleting what belongs to a tenant or a user: all that is there, and all that comes too late."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tracium.server.keeping.held import HELD, Held
from tracium.server.keeping.mutations import await_deleted, await_removed, delete, files_removed_soon
from tracium.server.keeping.receipt import Receipt
from tracium.server.keeping.subject import SubjectKey
from tracium.server.keeping.tombstones import Tombstone, Tombstones
from tracium.server.keeping.views import leave_out_erased

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracium.server.keeping.subject import Person
    from tracium.server.store import Store

    Progress = Callable[[int, int], None]

_ID_BYTES: Final = 8
_ROLLUPS_STAY: Final = (
    "Roll-ups (numbers by 15 minutes, tenant, service and model) name no user, so the user's part in them stays."
)
_MARKED_ONLY: Final = "Only what carries the user's id in user.id is theirs: other spans of the same traces stay."
_BACKUPS_STAY: Final = "Backups that were made before hold it still: erase again after restoring one."


class Eraser:
    """Erases in a store that is open, while others write and ask."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tombstones = Tombstones(store)

    def erase(self, person: Person, progress: Progress = lambda _done, _total: None) -> Receipt:
        """Erase all that belongs to a person; on return it is gone from tables, files and journal.

        Nobody sees it from the first moment on. Should the process end in between, the next one goes on.

        Args:
            person: whose.
            progress: called with how many of how many steps are done.

        Raises:
            StoreError: it could not be begun, or not be finished yet.
        """
        key = SubjectKey.of(self._store)
        tombstone = Tombstone(
            secrets.token_hex(_ID_BYTES), key.of_store(self._store, person), datetime.now(UTC), is_done=False
        )
        # Nothing is received meanwhile: what is there now goes, and what is written later passes the views.
        with self._store.alone():
            self._tombstones.note(tombstone, {})
            self._store.refresh()
            leave_out_erased(self._store)
            rows = self._counted(person)
            for table in _having(rows):
                delete(self._store.maintenance, table.name, key.is_of(tombstone.subject, table))
            self._store.wipe_journal()
        removed = self._finish(tombstone, rows, progress)
        return Receipt(
            id=tombstone.id,
            tenant=person.tenant,
            user=person.user,
            before=tombstone.before,
            finished=datetime.now(UTC),
            rows=rows,
            files_removed=removed,
            kept=(*((_ROLLUPS_STAY, _MARKED_ONLY) if person.user else ()), *self._settings_of(person), _BACKUPS_STAY),
        )

    def resume(self) -> None:
        """Finish what an earlier process began.

        Raises:
            StoreError: it could not be finished yet.
        """
        for tombstone in self._tombstones.all():
            if tombstone.is_done:
                continue
            key = SubjectKey.of(self._store)
            rows = {}
            for table in HELD:
                condition = f"{key.is_of(tombstone.subject, table)} AND {_began_before(table, tombstone.before)}"
                if count := self._count(table, condition, {}):
                    rows[table.name] = count
                    delete(self._store.maintenance, table.name, condition)
            self._finish(tombstone, rows, lambda _done, _total: None)

    def _finish(self, tombstone: Tombstone, rows: Mapping[str, int], progress: Progress) -> bool:
        maintenance = self._store.maintenance
        tables = [table.name for table in _having(rows)]
        steps = 2 * len(tables)
        removed = True
        with files_removed_soon(maintenance, tables):
            for done, table in enumerate(tables):
                progress(done, steps)
                await_deleted(maintenance, table)
            for done, table in enumerate(tables):
                progress(len(tables) + done, steps)
                removed &= await_removed(maintenance, table)
        self._tombstones.note(replace(tombstone, is_done=True), rows)
        progress(steps, steps)
        return removed

    def _counted(self, person: Person) -> dict[str, int]:
        """How many rows of each table are theirs."""
        condition = _is_of(person)
        parameters = {"tenant": person.tenant or "", "user": person.user or ""}
        return {
            table.name: self._count(table, condition, parameters)
            for table in HELD
            if table.has_users or person.user is None
        }

    def _count(self, table: Held, condition: str, parameters: Mapping[str, str]) -> int:
        sql = f"SELECT count() AS Rows FROM {table.name} WHERE {condition}"  # noqa: S608 - ours
        count: int = self._store.maintenance.rows(sql, parameters)[0]["Rows"]
        return count

    def _settings_of(self, person: Person) -> tuple[str, ...]:
        """What an operator wrote about the tenant, which is not telemetry."""
        if person.tenant is None or person.user is not None:
            return ()
        found = []
        for what, sql in (
            ("access tokens (tracium token revoke)", "tracium_tokens FINAL WHERE has(Tenants, {tenant:String})"),
            (
                "retention rules (tracium store retention unset)",
                "tracium_retention FINAL WHERE TenantId = {tenant:String} AND Days IS NOT NULL",
            ),
        ):
            count = self._store.maintenance.rows(f"SELECT count() AS Rows FROM {sql}", {"tenant": person.tenant})[0]  # noqa: S608
            if count["Rows"]:
                found.append(f"Settings that name the tenant stay: {count['Rows']} {what}.")
        return tuple(found)


def _having(rows: Mapping[str, int]) -> list[Held]:
    return [table for table in HELD if rows.get(table.name)]


def _is_of(person: Person) -> str:
    parts = ["TenantId = {tenant:String}"] if person.tenant else []
    parts += ["UserId = {user:String}"] if person.user else []
    return " AND ".join(parts)


def _began_before(table: Held, before: datetime) -> str:
    """SQL: whether a row is from before a moment, or at least begins there."""
    return f"{table.time} < toDateTime64({before.timestamp():.6f}, 6, 'UTC')"
