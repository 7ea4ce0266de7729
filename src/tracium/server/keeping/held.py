"""The tables that hold what belongs to tenants."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final


class Signal(enum.StrEnum):
    """What has a retention of its own."""

    SPANS = "spans"
    LOGS = "logs"
    METRICS = "metrics"
    ROLLUPS = "rollups"


@dataclass(frozen=True, slots=True)
class Held:
    """One table with a column ``TenantId``."""

    name: str
    signal: Signal
    # The column that says when it happened: a row belongs to its end, a bucket to its start.
    time: str
    # Whether its rows say whose user they are about, in a column ``UserId``.
    has_users: bool
    # The minutes that one row tells of; 0: a moment.
    minutes: int = 0

    @property
    def partition_format(self) -> str:
        """How the ids of its partitions are written, each a day or a month in UTC."""
        return "%Y%m" if self.signal is Signal.ROLLUPS else "%Y%m%d"


HELD: Final = (
    Held("otel_traces", Signal.SPANS, "EndTime", has_users=True),
    Held("tracium_errors", Signal.SPANS, "EndTime", has_users=True),
    Held("otel_logs", Signal.LOGS, "Timestamp", has_users=True),
    *(
        Held(f"otel_metrics_{kind}", Signal.METRICS, "TimeUnix", has_users=True)
        for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary")
    ),
    Held("tracium_requests_15m", Signal.ROLLUPS, "Bucket", has_users=False, minutes=15),
    Held("tracium_calls_15m", Signal.ROLLUPS, "Bucket", has_users=False, minutes=15),
    Held("tracium_calls", Signal.ROLLUPS, "EndTime", has_users=False),
)
