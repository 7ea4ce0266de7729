"""What each tenant did, and what has changed."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from tracium.server.plain import columns
from tracium.server.queries import cursor
from tracium.server.queries.numbers import call_numbers, change, money, request_numbers, usage
from tracium.server.queries.sums import usage_rows, usage_rows_and_before
from tracium.server.usage import Change, TenantUsage, UsageReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.access.principal import Principal
    from tracium.server.queries.question import Question
    from tracium.server.queries.sums import Numbers
    from tracium.server.store import Store

TenantOrder = Literal[
    "tokens", "tenant", "traces", "requests", "errors", "error_rate", "p50_ms", "p95_ms", "p99_ms", "model_calls",
    "input_tokens", "output_tokens", "cost", "unpriced_calls", "unknown_usage", "last_seen", "model_calls_change",
    "requests_change", "errors_change", "p95_ms_change", "cost_change",
]  # fmt: skip
TENANT_ORDERS: Final[tuple[str, ...]] = get_args(TenantOrder)
_BY: Final = {"tenant": "TenantId"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantRow(TenantUsage):
    """One tenant's usage, and the same of the period before."""

    before: Change | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantsReport:
    """A page of tenants; what belongs to none is the last row of the last page."""

    from_: datetime
    to: datetime
    rows: tuple[TenantRow, ...]
    # How many tenants there are on all pages.
    count: int
    # Where the next page begins; None: there is none.
    next: str | None


def tenants(  # noqa: PLR0913 - each is a part of the question
    store: Store,
    asker: Principal,
    question: Question,
    *,
    search: str | None = None,
    sort: TenantOrder = "tokens",
    ascending: bool = False,
    limit: int | None = None,
    after: str | None = None,
    compare: bool = True,
) -> TenantsReport:
    """What each tenant did in a range of time, and what has changed since the one before.

    Args:
        store: where from.
        asker: who asks, which decides what is seen.
        question: when, whose and where.
        search: a part of the tenants' ids, in capitals or not.
        sort: by which number; `tokens` are those of input and output together.
        ascending: whether the least comes first.
        limit: how many rows at most; None for all.
        after: where the page begins, as `TenantsReport.next` said.
        compare: whether the period before is looked at; it takes as long again.

    Raises:
        CursorError: `after` is none.
        StoreError: the store could not answer.
    """
    before: Mapping[str, TenantUsage] = {}
    if compare:
        (found,), then = usage_rows_and_before(store, asker, question, _BY, ("tenant",))
        before = _rows(asker, then, search)
    else:
        (found,) = usage_rows(store, asker, question, _BY)
    rows = _rows(asker, found, search)
    order = _Order(sort, ascending=ascending)
    made = sorted((_with_change(asker, row, before, compare=compare) for row in rows.values()), key=order.place)
    first = 0 if after is None else bisect_right(made, order.place_of(after), key=order.place)
    shown = tuple(made[first:] if limit is None else made[first : first + limit])
    has_more = bool(shown) and first + len(shown) < len(made)
    return TenantsReport(
        from_=question.range.start,
        to=question.range.end,
        rows=shown,
        count=len(made),
        next=order.cursor(shown[-1]) if has_more else None,
    )


def usage_report(store: Store, asker: Principal, question: Question) -> UsageReport:
    """What each tenant did, without a look at the period before.

    Raises:
        StoreError: the store could not answer.
    """
    rows = tenants(store, asker, question, compare=False).rows
    names = columns(TenantUsage)
    return UsageReport(
        question.range, tuple(TenantUsage(**{name: getattr(row, name) for name in names}) for row in rows)
    )


@dataclass(frozen=True, slots=True)
class _Order:
    """How tenants follow each other; a cursor is the place of one of them, also where it is no longer there."""

    by: TenantOrder
    ascending: bool

    def place(self, row: TenantRow) -> tuple[Any, ...]:
        return self._place(self._value(row), row.tenant)

    def place_of(self, after: str) -> tuple[Any, ...]:
        by, value, tenant = cursor.read(after, (str,), (int, float, None), (str, None))
        if by != self.by:
            raise cursor.CursorError(after)
        return self._place(value, tenant)

    def cursor(self, row: TenantRow) -> str:
        return cursor.write(self.by, self._value(row), row.tenant)

    def _place(self, value: float | None, tenant: str | None) -> tuple[Any, ...]:
        # What belongs to no tenant stands last, before it what has no value; equals go by name.
        sign = 1 if self.ascending else -1
        name = [ord(char) for char in tenant or ""]
        if self.by == "tenant" and not self.ascending:
            name = [*(-char for char in name), 1]
        return tenant is None, value is None, sign * (value or 0), name

    def _value(self, row: TenantRow) -> float | None:
        if self.by == "tenant":
            return 0
        if self.by == "tokens":
            return (row.input_tokens or 0) + (row.output_tokens or 0)
        source = row.before if self.by.endswith("_change") else row
        value = getattr(source, self.by, None)
        if isinstance(value, datetime):
            return value.timestamp()
        return None if value is None else float(value)


def _with_change(asker: Principal, row: TenantUsage, before: Mapping[str, TenantUsage], *, compare: bool) -> TenantRow:
    then = before.get(row.tenant or "") or usage(asker, None, None)
    values = {name: getattr(row, name) for name in columns(TenantUsage)}
    return TenantRow(**values, before=change(row, then) if compare else None)


def _rows(asker: Principal, found: Numbers, search: str | None) -> dict[str, TenantUsage]:
    wanted = (search or "").casefold()
    return {
        name: TenantUsage(
            tenant=name or None,
            **request_numbers(found.requests.get((name,))),
            **call_numbers(found.calls.get((name,))),
            **money(asker, found.calls.get((name,))),
        )
        for (name,) in found.requests | found.calls
        if wanted in name.casefold()
    }
