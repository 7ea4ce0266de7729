"""Deleting what is past its retention, and what was erased and came again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from tracium.server.keeping.erasure import Eraser
from tracium.server.keeping.held import HELD, Signal
from tracium.server.keeping.mutations import await_deleted, delete, is_deleting
from tracium.server.keeping.rules import Retention, cutoff, moment, utc_now
from tracium.server.keeping.subject import Person, SubjectKey
from tracium.server.keeping.tombstones import Tombstones, is_erased
from tracium.server.keeping.views import leave_out_erased

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracium.server.keeping.held import Held
    from tracium.server.keeping.rules import Rules
    from tracium.server.store import Store

_logger: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Expired:
    """What one run deleted."""

    # Days or months that went as a whole.
    partitions: int
    # Rows of tenants with a rule of their own.
    rows: int


@dataclass(frozen=True, slots=True)
class _Partition:
    id: str
    rows: int
    end: datetime


class Expiry:
    """Applies the retention to a store; several servers may do so at once, and doing it again changes nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def tidy(self) -> Expired:
        """Do all that is due: unfinished erasures, late arrivals of what was erased, retention, old tombstones.

        Raises:
            StoreError: something could not be done; the next run tries again.
        """
        self._store.refresh()
        Eraser(self._store).resume()
        self._sweep()
        expired = self.apply()
        self._forget()
        return expired

    def apply(self) -> Expired:
        """Delete what is past its retention: whole days and months at once, tenants' own rules by rows.

        Raises:
            StoreError: something could not be deleted.
        """
        rules, now = Retention(self._store).rules(), utc_now()
        partitions = rows = 0
        for table in HELD:
            for partition in self._due(table, rules, now):
                if partition.end <= now - timedelta(days=max(rules.of(table.signal).values())):
                    self._store.maintenance.run(f"ALTER TABLE {table.name} DROP PARTITION ID '{partition.id}'")
                    partitions += 1
                else:
                    rows += self._delete_rows(table, partition, rules, now)
        if partitions or rows:
            _logger.info("retention: deleted %d days or months, and %d rows of tenants' own rules", partitions, rows)
        return Expired(partitions, rows)

    def _due(self, table: Held, rules: Rules, now: datetime) -> Iterator[_Partition]:
        """The partitions of which nothing, or not all, is to be kept."""
        latest = now - timedelta(days=min(rules.of(table.signal).values()))
        sql = (
            "SELECT partition_id AS Id, sum(rows) AS Rows FROM system.parts "
            "WHERE database = currentDatabase() AND table = {table:String} AND active GROUP BY Id ORDER BY Id"
        )
        for row in self._store.maintenance.rows(sql, {"table": table.name}):
            end = _end(table, row["Id"])
            if end <= latest:
                yield _Partition(row["Id"], row["Rows"], end)

    def _delete_rows(self, table: Held, partition: _Partition, rules: Rules, now: datetime) -> int:
        """Delete the rows of the tenants whose time is over for all of a partition; answer how many."""
        days = rules.of(table.signal)
        key = SubjectKey.of(self._store)
        subject = f"toString({key.of_tenant('TenantId')})"
        past = f"{cutoff(self._by_subject(key, days), subject, now)} >= {moment(partition.end)}"
        within = f"_partition_id = '{partition.id}'"
        sql = f"SELECT count() AS Rows FROM {table.name} WHERE {within} AND {past}"  # noqa: S608 - ours
        count: int = self._store.maintenance.rows(sql)[0]["Rows"]
        if count and not is_deleting(self._store.maintenance, table.name):
            delete(self._store.maintenance, table.name, past, partition.id)
            await_deleted(self._store.maintenance, table.name)
        return count

    def _by_subject(self, key: SubjectKey, days: Mapping[str, int]) -> dict[str, int]:
        """The days by the tenants' hashes: the engine keeps the text of what deletes rows."""
        return {
            tenant and str(key.of_store(self._store, Person(tenant, None))): value for tenant, value in days.items()
        }

    def _sweep(self) -> None:
        """Delete what was erased and came again past our receiver; nobody has seen it."""
        if not Tombstones(self._store).all():
            return
        key = SubjectKey.of(self._store)
        for table in HELD:
            if table.signal is Signal.ROLLUPS:
                continue
            erased = is_erased(key, table)
            sql = f"SELECT count() AS Rows FROM {table.name} WHERE {erased}"  # noqa: S608 - ours
            if self._store.maintenance.rows(sql)[0]["Rows"]:
                delete(self._store.maintenance, table.name, erased)
                await_deleted(self._store.maintenance, table.name)

    def _forget(self) -> None:
        """Forget erasures of what would be past every retention by now."""
        tombstones = Tombstones(self._store)
        before = utc_now() - timedelta(days=Retention(self._store).rules().longest())
        if any(one.before < before for one in tombstones.all()):
            tombstones.forget(before)
            await_deleted(self._store.maintenance, "tracium_erasures")
            self._store.refresh()
        # Also after an upgrade, whose migrations may have made a view anew.
        leave_out_erased(self._store)


def _end(table: Held, partition: str) -> datetime:
    """When a partition, a day or a month in UTC, is over."""
    start = datetime.strptime(partition, table.partition_format).replace(tzinfo=UTC)
    if table.signal is Signal.ROLLUPS:
        return (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    return start + timedelta(days=1)
