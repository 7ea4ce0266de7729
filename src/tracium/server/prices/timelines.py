"""The table of prices: each key's periods over all of time, replaced as a whole."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracium.server.prices.key import KEY_COLUMNS, PriceKey
from tracium.server.prices.period import Period
from tracium.server.scope import TenantScope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracium.server.store import Store

_COLUMNS: Final = (*KEY_COLUMNS, "Periods", "Package", "Overrides", "Revision")
_PERIOD: Final = (
    "Tuple(UInt32, UInt32, UInt32, UInt32, UInt16, UInt16, Nullable(Decimal(38, 24)), Nullable(Decimal(38, 24)), "
    "Nullable(Decimal(38, 24)), Nullable(Decimal(38, 24)), Nullable(Decimal(38, 24)), String, String, String, String)"
)
_READ: Final = f"SELECT {', '.join(KEY_COLUMNS)}, Periods, Package, Overrides FROM tracium_prices FINAL"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Timeline:
    """The prices of one key over all of time."""

    key: PriceKey
    periods: tuple[Period, ...]
    # The release of genai-prices and the revision of the overrides that the last of the periods are of.
    package: str
    overrides: int


def read(store: Store) -> dict[PriceKey, Timeline]:
    """Every timeline of the store.

    Raises:
        StoreError: the store could not answer.
    """
    return {line.key: line for line in map(_timeline, store.rows(TenantScope.all(), _READ))}


def write(store: Store, timelines: Iterable[Timeline]) -> None:
    """Put timelines in the place of those that their keys have; a question sees all of them or none.

    Raises:
        StoreError: they were not written.
    """
    now = time.time_ns()
    rows = [
        (*line.key, [period.to_row() for period in line.periods], line.package, line.overrides, now)
        for line in timelines
    ]
    if rows:
        store.insert("tracium_prices", _COLUMNS, rows)


def draft(timelines: Iterable[Timeline]) -> tuple[str, dict[str, str]]:
    """Timelines that are not written, as a relation for `priced`, and the parameters that it needs."""
    rows = [[*line.key, [_plain(period) for period in line.periods]] for line in timelines]
    columns = ", ".join(f"line.{number} AS {name}" for number, name in enumerate((*KEY_COLUMNS, "Periods"), 1))
    names = [
        "ClassFrom",
        "ClassTo",
        "ValidFrom",
        "ValidTo",
        "DayFrom",
        "DayTo",
        "Input",
        "CacheRead",
        "CacheWrite",
        "Output",
        "Request",
        "Source",
        "Version",
        "Matched",
        "Reason",
    ]
    types = _PERIOD.removeprefix("Tuple(").removesuffix(")").replace("(38, 24)", "(38;24)").split(", ")
    named = ", ".join(f"{name} {kind}" for name, kind in zip(names, types, strict=True)).replace(";", ", ")
    sql = f"""
SELECT {columns}
FROM (SELECT arrayJoin(JSONExtract({{draft:String}},
      'Array(Tuple(String, String, String, String, String, Array(Tuple({named}))))')) AS line)
"""  # noqa: S608 - constants
    return sql, {"draft": json.dumps(rows)}


def _plain(period: Period) -> list[Any]:
    return [value if isinstance(value, str | int) or value is None else f"{value:f}" for value in period.to_row()]


def _timeline(row: Mapping[str, Any]) -> Timeline:
    return Timeline(
        PriceKey(*(row[column] for column in KEY_COLUMNS)),
        tuple(Period.from_row(_values(period)) for period in row["Periods"]),
        row["Package"],
        row["Overrides"],
    )


def _values(period: Mapping[str, Any] | tuple[Any, ...]) -> tuple[Any, ...]:
    """The elements of a named tuple of ClickHouse, which the client gives as a dictionary."""
    return period if isinstance(period, tuple) else tuple(period.values())
