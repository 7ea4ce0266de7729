"""Usage over time: for the whole, and for each tenant by model and operation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tracium.server.queries.bucket import Bucket
from tracium.server.queries.numbers import call_numbers, change, money, request_numbers, usage
from tracium.server.queries.sums import Numbers, call_rows, usage_rows, usage_rows_and_before
from tracium.server.usage import CallUsage, Change, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.access.principal import Principal
    from tracium.server.queries.question import Question
    from tracium.server.store import Store

    Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point(Usage):
    """Usage in one stretch of time."""

    # Where the stretch begins.
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The whole of a range, and its course; a stretch without anything is there, too."""

    from_: datetime
    to: datetime
    bucket: str
    totals: Usage
    # Requests that belong to no tenant; None where the asker may not know.
    requests_without_tenant: int | None
    before: Change | None
    rows: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsageAt(CallUsage):
    """A tenant's model calls of one model and operation in one stretch of time."""

    time: datetime
    provider: str
    model: str
    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageOverTime:
    """A tenant's model calls over time; a stretch without calls has no row."""

    tenant: str | None
    from_: datetime
    to: datetime
    bucket: str
    timezone: str
    rows: tuple[ModelUsageAt, ...]


def overview(
    store: Store, asker: Principal, question: Question, *, bucket: Bucket | None = None, compare: bool = True
) -> Overview:
    """The totals of a range and their course.

    Args:
        store: where from.
        asker: who asks, which decides what is seen.
        question: when, whose and where.
        bucket: how long a stretch is; None: what fits the range.
        compare: whether the period before is looked at.

    Raises:
        StoreError: the store could not answer.
    """
    bucket = bucket or Bucket.fitting(question.range)
    by = {"time": bucket.sql(question.timezone)}
    before = None
    if compare:
        (by_time, whole), before = usage_rows_and_before(store, asker, question, by, ("time",), ())
    else:
        by_time, whole = usage_rows(store, asker, question, by, ("time",), ())
    totals = only(asker, whole)
    return Overview(
        from_=question.range.start,
        to=question.range.end,
        bucket=bucket.value,
        totals=totals,
        requests_without_tenant=_without_tenant(asker, question, whole),
        before=None if before is None else change(totals, only(asker, before)),
        rows=_course(asker, question, bucket, by_time),
    )


def total(store: Store, asker: Principal, question: Question) -> Usage:
    """Everything that a question asks for, in one row."""
    (found,) = usage_rows(store, asker, question, {})
    return only(asker, found)


def _course(asker: Principal, question: Question, bucket: Bucket, found: Numbers) -> tuple[Point, ...]:
    """A point for each stretch of a range."""
    of_requests = {in_utc(time): row for (time,), row in found.requests.items()}
    of_calls = {in_utc(time): row for (time,), row in found.calls.items()}
    # What is there beyond the range's own stretches is of the current quarter of an hour.
    times = sorted({*bucket.starts(question.range, question.timezone), *of_requests, *of_calls})
    return tuple(point(asker, at, of_requests.get(at), of_calls.get(at)) for at in times)


def point(asker: Principal, at: datetime, of_requests: Row | None, of_calls: Row | None) -> Point:
    """The numbers of one stretch."""
    return Point(time=at, **request_numbers(of_requests), **call_numbers(of_calls), **money(asker, of_calls))


def usage_over_time(
    store: Store, asker: Principal, question: Question, tenant: str | None, bucket: Bucket
) -> UsageOverTime:
    """A tenant's model calls by model and operation; `question` has to ask for that tenant.

    Raises:
        StoreError: the store could not answer.
    """
    by = {
        "time": bucket.sql(question.timezone),
        "provider_name": "Provider",
        "model_name": "Model",
        "operation_name": "Operation",
    }
    rows = [
        ModelUsageAt(
            time=in_utc(row["time"]),
            provider=row["provider_name"],
            model=row["model_name"],
            operation=row["operation_name"],
            **call_numbers(row),
            **money(asker, row),
        )
        for row in call_rows(store, asker, question, by)
    ]
    rows.sort(key=lambda row: (row.time, row.provider, row.model, row.operation))
    return UsageOverTime(
        tenant=tenant,
        from_=question.range.start,
        to=question.range.end,
        bucket=bucket.value,
        timezone=question.timezone,
        rows=tuple(rows),
    )


def _without_tenant(asker: Principal, question: Question, found: Numbers) -> int | None:
    if not asker.scope.allows(None) or not question.tenants.is_everything:
        return None
    return sum(int(row["RequestsOfNone"]) for row in found.requests.values())


def only(asker: Principal, found: Numbers) -> Usage:
    """The numbers of what was not told apart."""
    return usage(asker, found.requests.get(()), found.calls.get(()))


def in_utc(moment: datetime) -> datetime:
    """A moment as the engine's driver gives it, with its zone."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
