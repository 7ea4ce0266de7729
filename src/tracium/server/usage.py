"""What was done: the numbers of model calls, of requests, and of each tenant."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from tracium.server.plain import plain
from tracium.server.timerange import TimeRange


@dataclass(frozen=True, slots=True, kw_only=True)
class CallUsage:
    """Model calls: inference and embeddings calls, each counted once. Latencies are milliseconds, right to 0.4 %.

    What nothing is known of is None. A sum with unknown parts is a lower bound: the counts of what is unknown say so.
    """

    model_calls: int
    model_call_errors: int
    model_call_p50_ms: float | None
    model_call_p95_ms: float | None
    model_call_p99_ms: float | None
    # Sums of what is known: lower bounds while the counts below are not 0, None when nothing is known.
    input_tokens: int | None
    output_tokens: int | None
    # Parts of the input that were read from, or written to, the provider's cache; and of the output.
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    # Model calls that did not say. An embeddings call has no output tokens, which is not unknown.
    unknown_input: int
    unknown_output: int
    # Model calls of which either is unknown.
    unknown_usage: int
    # US dollars; None: nothing has a price, or who asks may not see money. A lower bound while calls have no price, or
    # their usage is unknown.
    cost: Decimal | None
    # Model calls without a price; None: who asks may not see money.
    unpriced_calls: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(CallUsage):
    """Model calls and requests; a request is a SERVER, CONSUMER or parentless span."""

    # Distinct trace ids with a span of the tenant.
    traces: int
    requests: int
    # Requests with the status Error, and their share of the requests; None without any.
    errors: int
    error_rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    spans: int
    span_errors: int
    # Requests with those that sampling left out.
    estimated_requests: float
    # Whether there are so many traces that their number is an estimate (within 1 %): above 65,536.
    traces_estimated: bool
    last_seen: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The period before, which is as long, and what has become of it: 0.5 is half as much more, None cannot be said."""

    model_calls: int
    model_calls_change: float | None
    requests: int
    requests_change: float | None
    errors: int
    errors_change: float | None
    p95_ms: float | None
    p95_ms_change: float | None
    cost: Decimal | None
    cost_change: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantUsage(Usage):
    """One tenant's usage."""

    # None: spans without a tenant.
    tenant: str | None

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what an answer of the API has; fields of a newer release are left out.

        Raises:
            KeyError: a field is missing.
            ValueError: a field is not what it should be.
        """
        told = {field.name: value[field.name] for field in fields(cls)}
        if told["cost"] is not None:
            told["cost"] = Decimal(told["cost"])
        if told["last_seen"] is not None:
            told["last_seen"] = datetime.fromisoformat(told["last_seen"])
        return cls(**told)


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The usage of tenants, the ones with the most tokens first and spans without a tenant last."""

    range: TimeRange
    tenants: tuple[TenantUsage, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON's types; times are ISO 8601 in UTC, money is a string."""
        return {
            "from": self.range.start.isoformat(),
            "to": self.range.end.isoformat(),
            "tenants": [plain(tenant) for tenant in self.tenants],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            KeyError: a field is missing.
            ValueError: a time is none.
        """
        return cls(
            range=TimeRange(datetime.fromisoformat(value["from"]), datetime.fromisoformat(value["to"])),
            tenants=tuple(map(TenantUsage.from_json, value["tenants"])),
        )
