"""What each tenant did: the answer to a question about a time range."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Self

from tracium.server.timerange import TimeRange


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantUsage:
    """One tenant's usage. Latencies are milliseconds; None where there is nothing to measure.

    A request is a SERVER, CONSUMER or parentless span; a model call is one inference or embeddings call.
    """

    # None: spans without a tenant.
    tenant: str | None
    # Distinct trace ids with a span of the tenant.
    traces: int
    requests: int
    # Requests with the status Error.
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    model_calls: int
    model_call_errors: int
    model_call_p50_ms: float | None
    model_call_p95_ms: float | None
    # Sums of what is known: lower bounds while the counts below are not 0, None when nothing is known.
    input_tokens: int | None
    output_tokens: int | None
    # Model calls that did not say. An embeddings call has no output tokens, which is not unknown.
    unknown_input: int
    unknown_output: int
    # Model calls of which either is unknown.
    unknown_usage: int

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what `UsageReport.to_json` wrote; fields of a newer release are left out.

        Raises:
            KeyError: a field is missing.
        """
        return cls(**{field.name: value[field.name] for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The usage of the tenants in a scope, the ones with the most tokens first and spans without a tenant last."""

    range: TimeRange
    tenants: tuple[TenantUsage, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON's types; times are ISO 8601 in UTC."""
        return {
            "from": self.range.start.isoformat(),
            "to": self.range.end.isoformat(),
            "tenants": [asdict(tenant) for tenant in self.tenants],
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
