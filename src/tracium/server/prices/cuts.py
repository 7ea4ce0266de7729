"""Where prices may change: between two of these moments calls of one key are priced alike, and can be summed first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from tracium.server.scope import TenantScope

if TYPE_CHECKING:
    from tracium.server.store import Store

_CUTS: Final = """
SELECT arraySort(groupUniqArrayArray(Periods.ValidFrom)) AS Moments, arraySort(groupUniqArrayArray(Periods.DayFrom)) AS Minutes
FROM tracium_prices
"""


@dataclass(frozen=True, slots=True)
class Cuts:
    """Seconds since 1970, and minutes of a UTC day, at which the price of some key begins."""

    moments: tuple[int, ...]
    minutes: tuple[int, ...]

    @classmethod
    def of(cls, store: Store) -> Self:
        """Read them.

        Raises:
            StoreError: the store could not answer.
        """
        (row,) = store.rows(TenantScope.all(), _CUTS)
        return cls(tuple(row["Moments"]), tuple(row["Minutes"]))

    def sql(self, bucket: str) -> list[str]:
        """What tells one stretch from another, as SQL over the start of a roll-up's row; nothing where all are alike."""
        found = []
        if set(self.moments) - {0}:
            found.append(f"roundDown(toUnixTimestamp({bucket}), {[0, *self.moments]})")
        if set(self.minutes) - {0}:
            found.append(f"roundDown(intDiv(toUnixTimestamp({bucket}) % 86400, 60), {[0, *self.minutes]})")
        return found
