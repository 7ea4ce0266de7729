"""What every question says: when, whose, where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from tracium.server.queries.tenantfilter import TenantFilter
from tracium.server.scope import literal

if TYPE_CHECKING:
    from tracium.server.timerange import TimeRange

_QUARTER_NS: Final = 900 * 10**9
_EVERYBODY: Final = TenantFilter()


@dataclass(frozen=True, slots=True)
class Question:
    """A range of time, the tenants in it, and where the software ran."""

    range: TimeRange
    tenants: TenantFilter = _EVERYBODY
    # `deployment.environment.name`; None: every one.
    environment: str | None = None
    # `service.name`; None: every one.
    service: str | None = None
    # Decides where hours, days and months begin, by its name in the IANA database.
    timezone: str = "UTC"

    def before(self) -> Self:
        """The same of the period before."""
        return replace(self, range=self.range.before(datetime.now(UTC)))

    @property
    def is_empty(self) -> bool:
        """Whether its range has no moment."""
        return self.range.start == self.range.end

    def condition(self) -> str:
        """All but the time as an SQL expression over the columns of spans and roll-ups."""
        parts = [self.tenants.condition()]
        if self.environment is not None:
            parts.append(f"Environment = {literal(self.environment)}")
        if self.service is not None:
            parts.append(f"ServiceName = {literal(self.service)}")
        return " AND ".join(parts)

    def within(self) -> str:
        """Everything as an SQL expression over spans, the time to the nanosecond."""
        return f"{ended(self.range.start_ns, self.range.end_ns)} AND {self.condition()}"

    def touched(self) -> str:
        """Everything as an SQL expression over spans, with the whole of the current quarter of an hour."""
        return f"{ended(self.range.start_ns, self.quarters().until)} AND {self.condition()}"

    def quarters(self) -> Quarters:
        """How its time lies in the quarters of an hour that the roll-ups are made of."""
        return Quarters.of(self.range.start_ns, self.range.end_ns)


@dataclass(frozen=True, slots=True)
class Quarters:
    """The whole quarters of an hour in a range, and what of it lies in others; all in nanoseconds since 1970."""

    start: int
    end: int
    edges: tuple[tuple[int, int], ...]
    # The end of all.
    until: int

    @classmethod
    def of(cls, start: int, end: int) -> Self:
        """Cut a range."""
        first, last = _ceil(start), _floor(end)
        if first > last:
            return cls(first, first, ((start, end),) if start < end else (), end)
        edges = tuple((one, other) for one, other in ((start, first), (last, end)) if one < other)
        return cls(first, last, edges, end)

    def is_told_apart(self, moment: int) -> bool:
        """Whether what lies before a moment and after it can be summed at once and told apart by its quarter.

        Of what was sent twice one is counted on each side: spans are looked at on one of them only.
        """
        is_before, is_after = (
            all(end <= moment for _, end in self.edges),
            all(start >= moment for start, _ in self.edges),
        )
        return moment % _QUARTER_NS == 0 and (is_before or is_after)

    def whole(self) -> str:
        """The whole quarters as an SQL expression over a roll-up."""
        return f"Bucket >= toDateTime({self.start // 10**9}, 'UTC') AND Bucket < toDateTime({self.end // 10**9}, 'UTC')"


def ended(start: int, end: int) -> str:
    """A range, in nanoseconds since 1970, as an SQL expression over spans."""
    return f"EndTime >= {moment(start)} AND EndTime < {moment(end)}"


def moment(nanoseconds: int) -> str:
    """A moment as SQL."""
    # What DateTime64(9) cannot hold is as early, or as late, as it can.
    held = min(max(nanoseconds, -2_208_988_800 * 10**9), 2**63 - 1)
    return f"fromUnixTimestamp64Nano(toInt64({held}), 'UTC')"


def _floor(nanoseconds: int) -> int:
    return nanoseconds // _QUARTER_NS * _QUARTER_NS


def _ceil(nanoseconds: int) -> int:
    return -(-nanoseconds // _QUARTER_NS) * _QUARTER_NS
