"""Some tenants beside each other, and beside all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tracium.server.queries.bucket import Bucket
from tracium.server.queries.numbers import call_numbers, money, request_numbers
from tracium.server.queries.series import Point, in_utc, only, point
from tracium.server.queries.sums import Numbers, usage_rows
from tracium.server.queries.tenantfilter import TenantFilter
from tracium.server.usage import TenantUsage, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tracium.server.access.principal import Principal
    from tracium.server.queries.question import Question
    from tracium.server.store import Store

    Rows = dict[tuple[str, datetime], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantCourse:
    """One tenant's usage over time."""

    tenant: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Tenants in the order in which they were asked for; one without anything has zeros."""

    from_: datetime
    to: datetime
    bucket: str
    rows: tuple[TenantUsage, ...]
    # All that the asker may see, other tenants included.
    all: Usage
    series: tuple[TenantCourse, ...]


def compare(
    store: Store, asker: Principal, question: Question, tenants: Sequence[str], *, bucket: Bucket | None = None
) -> Comparison:
    """Put tenants beside each other.

    Args:
        store: where from.
        asker: who asks, which decides what is seen, also of `Comparison.all`.
        question: when and where.
        tenants: whole ids.
        bucket: how long a stretch of the series is; None: what fits the range.

    Raises:
        StoreError: the store could not answer.
    """
    bucket = bucket or Bucket.fitting(question.range)
    asked = replace(question, tenants=TenantFilter(ids=tuple(tenants)))
    # Of everybody else there is one row, under the name that no tenant has.
    is_asked = asked.tenants.condition()
    by = {
        name: f"if({is_asked}, {expression}, defaultValueOfArgumentType({expression}))"
        for name, expression in _by(asked, bucket).items()
    }
    everybody, wholes, over_time = usage_rows(
        store, asker, replace(question, tenants=TenantFilter()), by, (), ("tenant",), ("tenant", "time")
    )
    return Comparison(
        from_=question.range.start,
        to=question.range.end,
        bucket=bucket.value,
        rows=tuple(
            TenantUsage(
                tenant=name,
                **request_numbers(wholes.requests.get((name,))),
                **call_numbers(wholes.calls.get((name,))),
                **money(asker, wholes.calls.get((name,))),
            )
            for name in tenants
        ),
        all=only(asker, everybody),
        series=_courses(asker, asked, bucket, over_time),
    )


def courses(store: Store, asker: Principal, question: Question, bucket: Bucket) -> tuple[TenantCourse, ...]:
    """The course of every tenant that a question names by its id, in that order.

    Raises:
        StoreError: the store could not answer.
    """
    (found,) = usage_rows(store, asker, question, _by(question, bucket))
    return _courses(asker, question, bucket, found)


def _by(question: Question, bucket: Bucket) -> dict[str, str]:
    return {"tenant": "TenantId", "time": bucket.sql(question.timezone)}


def _courses(asker: Principal, question: Question, bucket: Bucket, found: Numbers) -> tuple[TenantCourse, ...]:
    of_requests, of_calls = (_rows(question, rows) for rows in (found.requests, found.calls))
    times = sorted({*bucket.starts(question.range, question.timezone), *(time for _, time in of_requests | of_calls)})
    return tuple(
        TenantCourse(
            tenant=name,
            points=tuple(point(asker, at, of_requests.get((name, at)), of_calls.get((name, at))) for at in times),
        )
        for name in question.tenants.ids
    )


def _rows(question: Question, found: Mapping[tuple[str, datetime], Mapping[str, Any]]) -> Rows:
    """The rows of the tenants that are asked for."""
    return {(tenant, in_utc(time)): row for (tenant, time), row in found.items() if tenant in question.tenants.ids}
