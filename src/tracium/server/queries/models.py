"""Which models were called, what each tenant used of them in each month, and what has no price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracium.server.access.principal import Grant
from tracium.server.queries.bucket import Bucket
from tracium.server.queries.numbers import call_numbers, money
from tracium.server.queries.sums import call_rows, unpriced_rows
from tracium.server.scope import literal
from tracium.server.usage import CallUsage

if TYPE_CHECKING:
    from datetime import datetime

    from tracium.server.access.principal import Principal
    from tracium.server.queries.question import Question
    from tracium.server.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsage(CallUsage):
    """Calls of one model and operation."""

    provider: str
    # The response's model, or the requested one where the response named none.
    model: str
    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsReport:
    """Models, the ones with the most calls first."""

    from_: datetime
    to: datetime
    rows: tuple[ModelUsage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine(CallUsage):
    """What one tenant used of one model in one month: a line of a bill."""

    # Such as 2026-01.
    month: str
    tenant: str | None
    provider: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageExport:
    """Lines by month, tenant and model; their sums are those of the tenants."""

    from_: datetime
    to: datetime
    timezone: str
    rows: tuple[UsageLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpriced:
    """Model calls without a price, and why they have none."""

    provider: str
    model: str
    request_model: str
    service_tier: str
    reason: str
    model_calls: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpricedReport:
    """What has no price, the most calls first; nothing where the asker may not see money."""

    from_: datetime
    to: datetime
    rows: tuple[Unpriced, ...]


def models(store: Store, asker: Principal, question: Question) -> ModelsReport:
    """What was called of each model.

    Raises:
        StoreError: the store could not answer.
    """
    by = {"provider_name": "Provider", "model_name": "Model", "operation_name": "Operation"}
    rows = [
        ModelUsage(
            provider=row["provider_name"],
            model=row["model_name"],
            operation=row["operation_name"],
            **call_numbers(row),
            **money(asker, row),
        )
        for row in call_rows(store, asker, question, by)
    ]
    rows.sort(key=lambda row: (-row.model_calls, row.provider, row.model, row.operation))
    return ModelsReport(from_=question.range.start, to=question.range.end, rows=tuple(rows))


def usage_export(store: Store, asker: Principal, question: Question) -> UsageExport:
    """What each tenant used of each model in each month of the question's time zone.

    Raises:
        StoreError: the store could not answer.
    """
    by = {
        "month": f"formatDateTime(toTimeZone({Bucket.MONTH.sql(question.timezone)}, {literal(question.timezone)}), '%Y-%m')",
        "tenant": "TenantId",
        "provider_name": "Provider",
        "model_name": "Model",
    }
    rows = [_line(asker, row) for row in call_rows(store, asker, question, by)]
    rows.sort(key=lambda row: (row.month, row.tenant is None, row.tenant or "", row.provider, row.model))
    return UsageExport(from_=question.range.start, to=question.range.end, timezone=question.timezone, rows=tuple(rows))


def unpriced(store: Store, asker: Principal, question: Question) -> UnpricedReport:
    """What has no price, and why.

    Raises:
        StoreError: the store could not answer.
    """
    rows: list[dict[str, Any]] = []
    if asker.may(Grant.COST):
        by = {
            "provider_name": "Provider",
            "model_name": "Model",
            "request_model": "RequestModel",
            "service_tier": "ServiceTier",
        }
        rows = unpriced_rows(store, asker, question, by)
    found = [
        Unpriced(
            provider=row["provider_name"],
            model=row["model_name"],
            request_model=row["request_model"],
            service_tier=row["service_tier"],
            reason=row["reason"],
            model_calls=row["Calls"],
            input_tokens=row["InputTokens"],
            output_tokens=row["OutputTokens"],
        )
        for row in rows
        if row["reason"]
    ]
    found.sort(key=lambda one: (-one.model_calls, one.provider, one.model, one.reason))
    return UnpricedReport(from_=question.range.start, to=question.range.end, rows=tuple(found))


def _line(asker: Principal, row: dict[str, Any]) -> UsageLine:
    return UsageLine(
        month=row["month"],
        tenant=row["tenant"] or None,
        provider=row["provider_name"],
        model=row["model_name"],
        **call_numbers(row),
        **money(asker, row),
    )
