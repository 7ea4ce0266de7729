"""How much there is in a store."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from tracium.server.keeping.held import HELD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracium.server.store import Store


@dataclass(frozen=True, slots=True)
class TableSize:
    """One table on the disk, after compression."""

    table: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class TenantSize:
    """One tenant's part of all tables."""

    # None: what belongs to no tenant.
    tenant: str | None
    rows: int
    spans: int
    # Estimated: of each file set that the engine wrote, the share of its rows that are the tenant's.
    estimated_bytes: int


@dataclass(frozen=True, slots=True)
class Day:
    """The spans that ended on one day in UTC."""

    day: str
    spans: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is on the disk, hidden or not."""

    tables: tuple[TableSize, ...]
    # The largest first.
    tenants: tuple[TenantSize, ...]
    days: tuple[Day, ...]

    @property
    def bytes(self) -> int:
        """All tables together."""
        return sum(one.bytes for one in self.tables)

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON's types; no tenant is null."""
        return {"bytes": self.bytes, **asdict(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            KeyError: a field is missing.
            TypeError: a field is one too many.
        """
        return cls(
            tuple(TableSize(**one) for one in value["tables"]),
            tuple(TenantSize(**one) for one in value["tenants"]),
            tuple(Day(**one) for one in value["days"]),
        )


def measure(store: Store) -> Sizes:
    """Measure a store; takes a moment for each million rows.

    Raises:
        StoreError: the store could not answer.
    """
    tables = store.maintenance.rows(
        "SELECT table AS Name, sum(rows) AS Rows, sum(bytes_on_disk) AS Bytes FROM system.parts "
        "WHERE database = currentDatabase() AND active GROUP BY Name ORDER BY Bytes DESC, Name"
    )
    days = store.maintenance.rows(
        "SELECT partition AS Id, sum(rows) AS Rows, sum(bytes_on_disk) AS Bytes FROM system.parts "
        "WHERE database = currentDatabase() AND table = 'otel_traces' AND active GROUP BY Id ORDER BY Id"
    )
    return Sizes(
        tuple(TableSize(row["Name"], row["Rows"], row["Bytes"]) for row in tables),
        _by_tenant(store),
        tuple(Day(f"{one[:4]}-{one[4:6]}-{one[6:]}", rows, size) for one, rows, size in map(_values, days)),
    )


def _by_tenant(store: Store) -> tuple[TenantSize, ...]:
    rows: dict[str, int] = {}
    spans: dict[str, int] = {}
    sizes: dict[str, float] = {}
    for table in HELD:
        for tenant, count, size in _shares(store, table.name):
            rows[tenant] = rows.get(tenant, 0) + count
            sizes[tenant] = sizes.get(tenant, 0) + size
            if table.name == "otel_traces":
                spans[tenant] = count
    largest = sorted(sizes, key=lambda tenant: (-sizes[tenant], tenant))
    return tuple(TenantSize(one or None, rows[one], spans.get(one, 0), round(sizes[one])) for one in largest)


def _shares(store: Store, table: str) -> Iterable[tuple[str, int, float]]:
    """Of each tenant in a table, the rows and the estimated bytes."""
    sql = f"""
        SELECT TenantId, sum(Rows) AS Count, sum(Rows * BytesOfRow) AS Size
        FROM (SELECT TenantId, _part AS Part, count() AS Rows FROM {table} GROUP BY TenantId, Part) AS counted
        INNER JOIN (
            SELECT name AS Part, bytes_on_disk / rows AS BytesOfRow FROM system.parts
            WHERE database = currentDatabase() AND table = '{table}' AND rows > 0
        ) AS parts USING Part
        GROUP BY TenantId
    """  # noqa: S608 - a name of ours
    for row in store.maintenance.rows(sql):
        yield row["TenantId"], row["Count"], row["Size"]


def _values(row: Mapping[str, Any]) -> tuple[str, int, int]:
    return row["Id"], row["Rows"], row["Bytes"]
