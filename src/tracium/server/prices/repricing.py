"""Make the prices that hold now hold for the past, too: what `tracium reprice` does and tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Self

from tracium.server.prices import timelines
from tracium.server.prices.book import book, quarters
from tracium.server.prices.calls import CALLS
from tracium.server.prices.key import KEY_COLUMNS
from tracium.server.prices.period import NO_TIME
from tracium.server.prices.sql import PRICES, priced
from tracium.server.scope import TenantScope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracium.server.store import Store

_KEY: Final = ", ".join(KEY_COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repriced:
    """What a tenant's calls of one model cost before and after, in US dollars, over all that was received."""

    # None: calls without a tenant.
    tenant: str | None
    provider: str
    model: str
    calls: int
    before: Decimal
    after: Decimal
    # Calls without a price, which the sums leave out.
    unpriced_before: int
    unpriced_after: int


@dataclass(frozen=True, slots=True)
class Repricing:
    """What changed, or would change; what stays as it was is not listed."""

    # The stretch of time whose prices changed, in full quarters of an hour; None: no limit.
    start: datetime | None
    end: datetime | None
    # Whether it was done, and not only worked out.
    is_done: bool
    changes: tuple[Repriced, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON's types; money is strings, times ISO 8601 in UTC."""
        return {
            "from": None if self.start is None else self.start.isoformat(),
            "to": None if self.end is None else self.end.isoformat(),
            "done": self.is_done,
            "currency": "USD",
            "changes": [_to_json(one) for one in self.changes],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            KeyError: a field is missing.
            ValueError: a time is none.
        """
        start, end = (None if value[key] is None else datetime.fromisoformat(value[key]) for key in ("from", "to"))
        return cls(start, end, value["done"], tuple(_from_json(one) for one in value["changes"]))


def reprice(store: Store, since: datetime | None, until: datetime | None, *, dry_run: bool = False) -> Repricing:
    """Let the prices that hold now hold for a stretch of the past, too.

    Args:
        store: the open store.
        since: where it begins; None is the beginning of all. The quarter of an hour that it falls into is repriced.
        until: where it ends, likewise; None is now, and what is to come.
        dry_run: only work out what would change.

    Raises:
        StoreError: the store could not answer, or not be written.
        LookUpError: the prices cannot be looked up.
    """
    start, end = quarters(since, until)
    revised = book(store).revised(start, end)
    changes = _changes(store, revised) if revised else ()
    if not dry_run:
        timelines.write(store, revised)
    return Repricing(
        datetime.fromtimestamp(start, UTC) if start else None,
        datetime.fromtimestamp(end, UTC) if end != NO_TIME else None,
        not dry_run,
        changes,
    )


def _changes(store: Store, revised: Iterable[timelines.Timeline]) -> tuple[Repriced, ...]:
    drafts, parameters = timelines.draft(revised)
    touched = f"SELECT * FROM ({CALLS}) WHERE ({_KEY}) IN (SELECT {_KEY} FROM ({drafts}))"  # noqa: S608 - constants
    before, after = (_sums(store, priced(touched, prices=prices), parameters) for prices in (PRICES, drafts))
    pairs = (_repriced(before[key], after[key]) for key in before)
    changed = [one for one in pairs if (one.before, one.unpriced_before) != (one.after, one.unpriced_after)]
    return tuple(sorted(changed, key=lambda one: (-abs(one.after - one.before), one.tenant or "", one.model)))


def _sums(store: Store, calls: str, parameters: Mapping[str, str]) -> dict[tuple[str, str, str], dict[str, Any]]:
    sql = f"""
SELECT TenantId AS tenant, Provider AS provider, Model AS model, sum(Calls) AS calls, sum(Cost) AS cost,
       sum(UnpricedCalls) AS unpriced
FROM ({calls})
GROUP BY tenant, provider, model
"""  # noqa: S608 - joined from constants; values are bound
    rows = store.rows(TenantScope.all(), sql, parameters)
    return {(row["tenant"], row["provider"], row["model"]): row for row in rows}


def _repriced(before: Mapping[str, Any], after: Mapping[str, Any]) -> Repriced:
    return Repriced(
        tenant=before["tenant"] or None,
        provider=before["provider"],
        model=before["model"],
        calls=before["calls"],
        before=before["cost"] or Decimal(0),
        after=after["cost"] or Decimal(0),
        unpriced_before=before["unpriced"],
        unpriced_after=after["unpriced"],
    )


def _to_json(one: Repriced) -> dict[str, Any]:
    told = {name: getattr(one, name) for name in Repriced.__dataclass_fields__}
    return {name: f"{value.normalize():f}" if isinstance(value, Decimal) else value for name, value in told.items()}


def _from_json(value: Mapping[str, Any]) -> Repriced:
    told = {name: value[name] for name in Repriced.__dataclass_fields__}
    return Repriced(**told | {name: Decimal(told[name]) for name in ("before", "after")})
