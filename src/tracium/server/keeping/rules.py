"""How long each signal is kept, for all tenants and for some."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from tracium.server.keeping.held import Signal
from tracium.server.scope import TenantScope, literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.keeping.held import Held
    from tracium.server.store import Store

DEFAULT_DAYS: Final[Mapping[Signal, int]] = {
    Signal.SPANS: 30,
    Signal.LOGS: 30,
    Signal.METRICS: 30,
    # 25 months: a month can be compared with the same one two years before.
    Signal.ROLLUPS: 761,
}
MOST_DAYS: Final = 36_500
_COLUMNS: Final = ("TenantId", "Signal", "Days", "Revision")


@dataclass(frozen=True, slots=True)
class Rule:
    """How long one signal of one tenant is kept."""

    # None: of every tenant that has no rule of its own.
    tenant: str | None
    signal: Signal
    days: int
    is_default: bool = False

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON's types."""
        return {"tenant": self.tenant, "signal": self.signal.value, "days": self.days, "is_default": self.is_default}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Rule:
        """Read what `to_json` wrote.

        Raises:
            KeyError: a field is missing.
            ValueError: the signal is none.
        """
        return cls(value["tenant"], Signal(value["signal"]), value["days"], value["is_default"])


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules that hold at one time."""

    # By signal and tenant; '' is every other tenant.
    days: Mapping[Signal, Mapping[str, int]] = field(default_factory=dict)

    def of(self, signal: Signal) -> Mapping[str, int]:
        """The days of a signal by tenant; '' is every tenant that is not named."""
        return {"": DEFAULT_DAYS[signal], **self.days.get(signal, {})}

    def listed(self) -> tuple[Rule, ...]:
        """Every rule, those for all tenants first."""
        return tuple(
            Rule(tenant or None, signal, days, is_default="" not in self.days.get(signal, {}) and not tenant)
            for signal in Signal
            for tenant, days in sorted(self.of(signal).items())
        )

    def longest(self) -> int:
        """The days after which nothing of any signal is kept."""
        return max(days for signal in Signal for days in self.of(signal).values())

    def keeps(self, table: Held, now: datetime) -> str:
        """SQL: whether a row of a table is still to be kept."""
        return f"{table.time} >= {cutoff(self.of(table.signal), 'TenantId', now)}"


def cutoff(days: Mapping[str, int], tenant: str, now: datetime) -> str:
    """SQL: from which moment on a tenant's rows are kept.

    Args:
        days: by what `tenant` gives; '' is everything else.
        tenant: SQL for a tenant.
        now: the time.
    """
    others = moment(now - timedelta(days=days[""]))
    named = {key: value for key, value in days.items() if key}
    if not named:
        return others
    moments = ", ".join(moment(now - timedelta(days=value)) for value in named.values())
    return f"transform({tenant}, [{', '.join(map(literal, named))}], [{moments}], {others})"


def moment(at: datetime) -> str:
    """A moment in SQL, to the second; what lies before 1970 is 1970."""
    return f"toDateTime64({max(0, int(at.timestamp()))}, 0, 'UTC')"


class Retention:
    """The rules in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def rules(self) -> Rules:
        """The rules that hold.

        Raises:
            StoreError: the store could not answer.
        """
        sql = "SELECT TenantId, Signal, Days FROM tracium_retention FINAL WHERE Days IS NOT NULL"
        days: dict[Signal, dict[str, int]] = {}
        for row in self._store.rows(TenantScope.all(), sql):
            days.setdefault(Signal(row["Signal"]), {})[row["TenantId"]] = row["Days"]
        return Rules(days)

    def set(self, signal: Signal, tenant: str | None, days: int | None) -> None:
        """Keep a signal for a number of days from now on; None takes the rule back.

        Raises:
            ValueError: the number is none that can be kept, or the tenant is a pattern.
            StoreError: it could not be written.
        """
        if days is not None and not 1 <= days <= MOST_DAYS:
            raise ValueError(f"telemetry is kept from 1 to {MOST_DAYS} days, not {days}")
        if tenant is not None and (not tenant or tenant.endswith(":*")):
            raise ValueError(f"{tenant!r} is no tenant: name one whole, or none for all of them")
        self._store.insert("tracium_retention", _COLUMNS, [(tenant or "", signal.value, days, time.time_ns())])
        self._store.refresh()


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)
