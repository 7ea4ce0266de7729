"""Sums over the relations, by whatever is asked, and their reading into numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tracium.server import prices
from tracium.server.access.principal import Grant
from tracium.server.prices.key import KEY_COLUMNS
from tracium.server.queries.beside import beside
from tracium.server.queries.relations import CALL_SUMS, REQUEST_SUMS, calls, requests
from tracium.server.usage import Change, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracium.server.access.principal import Principal
    from tracium.server.queries.question import Question
    from tracium.server.store import Store

    Row = Mapping[str, Any]

# Up to here the engine counts distinct traces exactly.
_EXACT_TRACES: Final = 65_536
_NO_ROW: Final[Row] = {}
_SUMS: Final = ", ".join(f"sum(one.{name}) AS {name}" for name in CALL_SUMS)
_REQUEST_SUMS: Final = ", ".join(f"sum(one.{name}) AS {name}" for name in REQUEST_SUMS)
_QUANTILES: Final = "(0.5, 0.95, 0.99)"

# Whether there is a price depends on what a call used: the calls of a row have all used the same, or none of them has.
_PRICE_KEY: Final = f"{', '.join(KEY_COLUMNS)}, InputClass, OtherUnits, Units"


@dataclass(frozen=True, slots=True)
class Numbers:
    """Rows of sums by their key: the values of the names of one level."""

    requests: dict[tuple[Any, ...], Row]
    calls: dict[tuple[Any, ...], Row]


def usage_rows(
    store: Store,
    asker: Principal,
    question: Question,
    by: Mapping[str, str],
    *levels: tuple[str, ...],
    traces: bool = True,
) -> tuple[Numbers, ...]:
    """Sums over requests and over model calls, the latter with their latency, and with their cost if `asker` may see it.

    Args:
        store: where from.
        asker: who asks, which decides what is seen.
        question: when, whose and where.
        by: what there is a row for: SQL over what `requests` and `calls` both have, by its name.
        levels: names of `by`; for each of these there are numbers of their own, by the values of its names. Several take
            hardly more time than one. None: one level with all names.
        traces: whether distinct traces are counted, too.

    Raises:
        StoreError: the store could not answer.
    """
    levels = levels or (tuple(by),)
    found = tuple(Numbers({}, {}) for _ in levels)
    if question.is_empty:
        return found
    of_others = _has_calls_of_others(store, asker, question)
    of_requests, of_calls = beside(
        partial(store.rows, asker.scope, _request_sums(question, by, levels, traces=traces, of_others=of_others)),
        partial(_call_rows, store, asker, question, by, levels, latency=False, of_others=of_others),
    )
    for row in of_requests:
        # Sums over nothing are a row, too, where there is nothing to group by.
        if _last_seen(row) is not None:
            found[row["Level"]].requests[tuple(row[name] for name in levels[row["Level"]])] = row
    for row in of_calls:
        if row["Calls"]:
            key = tuple(row[name] for name in levels[row["Level"]])
            latency = found[row["Level"]].requests.get(key, _NO_ROW).get("CallLatency", ())
            found[row["Level"]].calls[key] = {**row, "Latency": latency}
    return found


def call_rows(store: Store, asker: Principal, question: Question, by: Mapping[str, str]) -> list[dict[str, Any]]:
    """Sums over model calls with their latency, and with their cost if `asker` may see it.

    Args:
        store: where from.
        asker: who asks, which decides what is seen.
        question: when, whose and where.
        by: what there is a row for: SQL over the columns of `calls`, by its name in the rows.

    Raises:
        StoreError: the store could not answer.
    """
    if question.is_empty:
        return []
    of_others = _has_calls_of_others(store, asker, question)
    return _call_rows(store, asker, question, by, (tuple(by),), latency=True, of_others=of_others)


def unpriced_rows(store: Store, asker: Principal, question: Question, by: Mapping[str, str]) -> list[dict[str, Any]]:
    """Sums over model calls without latency, a row for each reason why they have no price, which is '' for those priced.

    Raises:
        StoreError: the store could not answer.
    """
    if question.is_empty:
        return []
    prices.ensure(store)
    relation = calls(question, of_others=_has_calls_of_others(store, asker, question))
    by = {**by, "reason": "one.UnpricedReason"}
    return store.rows(asker.scope, _priced_sums(relation, prices.Cuts.of(store), by, (tuple(by),), latency=False))


def _has_calls_of_others(store: Store, asker: Principal, question: Question) -> bool:
    """Whether there are calls of senders that are not tracium's: looking for the outer ones of them takes its time."""
    sql = f"SELECT 1 AS one FROM tracium_calls WHERE {question.touched()} LIMIT 1"  # noqa: S608 - see `literal`
    return bool(store.rows(asker.scope, sql))


def _request_sums(
    question: Question, by: Mapping[str, str], levels: Sequence[tuple[str, ...]], *, traces: bool, of_others: bool
) -> str:
    merged = (
        f"{_REQUEST_SUMS}, %(of_none)s AS RequestsOfNone, {'uniqMerge%(state)s(one.Traces)' if traces else 0} AS Traces, "
        f"quantilesBFloat16Merge%(state)s{_QUANTILES}(one.Latency) AS Latency, "
        f"quantilesBFloat16Merge%(state)s{_QUANTILES}(one.CallLatency) AS CallLatency, max(one.LastSeen) AS LastSeen"
    )
    relation = requests(question, of_others=of_others)
    names, of_none = _named(by), "sumIf(one.Requests, one.TenantId = '')"
    if len(levels) > 1:
        # Sketches take the time: they are merged once into the finest level, which is little.
        relation = f"SELECT {names} {merged % {'state': 'State', 'of_none': of_none}} FROM ({relation}) AS one {_grouped(by, (tuple(by),))}"  # noqa: S608 - see `literal`
        names, of_none = "".join(f"{name}, " for name in by), "sum(one.RequestsOfNone)"
    return f"""
        SELECT {names} {merged % {"state": "", "of_none": of_none}}, {_level(by, levels)} AS Level
        FROM ({relation}) AS one
        {_grouped(by, levels)}"""  # noqa: S608 - see `literal`


def _call_rows(  # noqa: PLR0913 - each is a part of the question
    store: Store,
    asker: Principal,
    question: Question,
    by: Mapping[str, str],
    levels: Sequence[tuple[str, ...]],
    *,
    latency: bool,
    of_others: bool,
) -> list[dict[str, Any]]:
    relation = calls(question, of_others=of_others)
    if asker.may(Grant.COST):
        prices.ensure(store)
        return store.rows(asker.scope, _priced_sums(relation, prices.Cuts.of(store), by, levels, latency=latency))
    return store.rows(
        asker.scope,
        f"""
        SELECT {_named(by)} {_SUMS} {_merged(latency=latency)}, {_level(by, levels)} AS Level
        FROM ({relation}) AS one
        {_grouped(by, levels)}""",  # noqa: S608 - see `literal`
    )


def _priced_sums(
    relation: str, cuts: prices.Cuts, by: Mapping[str, str], levels: Sequence[tuple[str, ...]], *, latency: bool
) -> str:
    """Sums over a relation of model calls with their cost, as a SELECT.

    Args:
        relation: as `calls` gives it.
        cuts: between which moments prices do not change.
        by: what there is a row for; what begins with ``one.Unpriced`` is known only with the price.
        levels: as `usage_rows` has them.
        latency: whether the quantiles of latency are wanted: they take the most time.
    """
    at_once = {name: expression for name, expression in by.items() if not expression.startswith("one.Unpriced")}
    told = {name: f"one.{name}" if name in at_once else expression for name, expression in by.items()}
    state = f", quantilesBFloat16MergeState{_QUANTILES}(one.Latency) AS Latency" if latency else ""
    # Summed first by what is priced alike, within one period of each price and one stretch of the day: that is little.
    alike = f"""
        SELECT {_named(at_once)} {_PRICE_KEY}, min(one.Bucket) AS Bucket, {_SUMS} {state}
        FROM ({relation}) AS one
        GROUP BY {", ".join([*at_once, _PRICE_KEY, *cuts.sql("one.Bucket")])}"""  # noqa: S608 - see `literal`
    return f"""
        SELECT {_named(told)} {_SUMS} {_merged(latency=latency)},
            sum(one.Cost) AS Cost, sum(one.UnpricedCalls) AS UnpricedCalls, {_level(by, levels)} AS Level
        FROM ({prices.priced(alike)}) AS one
        {_grouped(told, levels)}"""  # noqa: S608 - see `literal`


def call_numbers(row: Row | None) -> dict[str, Any]:
    """The fields of `CallUsage` from a row of `call_rows`; None: there was no call."""
    row = row or _NO_ROW
    count = row.get("Calls", 0)
    p50, p95, p99 = _quantiles(row)
    no_input = bool(row.get("UnknownInput")) and not row.get("KnownInput")
    no_output = bool(row.get("UnknownOutput")) and not row.get("KnownOutput")
    return {
        "model_calls": count,
        "model_call_errors": row.get("CallErrors", 0),
        "model_call_p50_ms": p50,
        "model_call_p95_ms": p95,
        "model_call_p99_ms": p99,
        "input_tokens": None if no_input else row.get("InputTokens", 0),
        "output_tokens": None if no_output else row.get("OutputTokens", 0),
        # A call may tell a part of what it does not tell as a whole.
        "cache_read_tokens": row.get("CacheReadTokens", 0) or (None if no_input else 0),
        "cache_write_tokens": row.get("CacheWriteTokens", 0) or (None if no_input else 0),
        "reasoning_tokens": row.get("ReasoningTokens", 0) or (None if no_output else 0),
        "unknown_input": row.get("UnknownInput", 0),
        "unknown_output": row.get("UnknownOutput", 0),
        "unknown_usage": row.get("UnknownUsage", 0),
    }


def money(asker: Principal, row: Row | None) -> dict[str, Any]:
    """The cost and the count of calls without a price, if `asker` may see money."""
    if not asker.may(Grant.COST):
        return {"cost": None, "unpriced_calls": None}
    row = row or _NO_ROW
    nothing_known = row.get("UnknownInput") and not row.get("KnownInput") and not row.get("KnownOutput")
    cost = row.get("Cost", 0)
    if not cost and nothing_known and row.get("UnknownUsage") == row["Calls"]:
        cost = None
    return {"cost": None if cost is None else Decimal(cost), "unpriced_calls": row.get("UnpricedCalls", 0)}


def request_numbers(row: Row | None) -> dict[str, Any]:
    """The fields of `Usage` that are not calls', from a row of `request_rows`; None: there was nothing."""
    row = row or _NO_ROW
    p50, p95, p99 = _quantiles(row)
    count, errors, traces = row.get("Requests", 0), row.get("RequestErrors", 0), row.get("Traces", 0)
    return {
        "traces": traces,
        "traces_estimated": traces > _EXACT_TRACES,
        "requests": count,
        "errors": errors,
        "error_rate": _error_rate(row),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "spans": row.get("Spans", 0),
        "span_errors": row.get("SpanErrors", 0),
        "estimated_requests": row.get("EstimatedRequests", 0.0),
        "last_seen": _last_seen(row),
    }


def usage(asker: Principal, of_requests: Row | None, of_calls: Row | None) -> Usage:
    """The numbers of requests and calls together."""
    return Usage(**request_numbers(of_requests), **call_numbers(of_calls), **money(asker, of_calls))


def change(now: Usage, before: Usage) -> Change:
    """What has become of the period before."""
    return Change(
        model_calls=before.model_calls,
        model_calls_change=_ratio(before.model_calls, now.model_calls),
        requests=before.requests,
        requests_change=_ratio(before.requests, now.requests),
        errors=before.errors,
        errors_change=_ratio(before.errors, now.errors),
        p95_ms=before.p95_ms,
        p95_ms_change=_ratio(before.p95_ms, now.p95_ms),
        cost=before.cost,
        cost_change=_ratio(before.cost, now.cost),
    )


def _ratio(before: Decimal | float | None, now: Decimal | float | None) -> float | None:
    if not before or now is None:
        return None
    return float(now) / float(before) - 1


def _error_rate(row: Row) -> float | None:
    """The share of errors in all requests, with those that sampling left out."""
    if not row.get("Requests"):
        return None
    # Where errors are kept for their own sake all of them are there. Elsewhere sampling has left some out as well.
    errors = row["RequestErrors"] if row["KeptForError"] else row["EstimatedErrors"]
    share: float = errors / max(row["EstimatedRequests"], row["RequestErrors"])
    return min(share, 1.0)


def _last_seen(row: Row) -> datetime | None:
    """When the last span ended; a row of sums over nothing has 1970."""
    moment = row.get("LastSeen")
    return _in_utc(moment) if moment is not None and moment.year > 1970 else None  # noqa: PLR2004 - see above


def _quantiles(row: Row) -> tuple[float | None, float | None, float | None]:
    found: Sequence[float] = row.get("Latency") or ()
    p50, p95, p99 = (None if math.isnan(one) else one for one in found) if found else (None, None, None)
    return p50, p95, p99


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _merged(*, latency: bool) -> str:
    return f", quantilesBFloat16Merge{_QUANTILES}(one.Latency) AS Latency" if latency else ""


def _named(by: Mapping[str, str]) -> str:
    return "".join(f"{expression} AS {name}, " for name, expression in by.items())


def _grouped(by: Mapping[str, str], levels: Sequence[tuple[str, ...]]) -> str:
    if len(levels) > 1:
        sets = [f"({', '.join(level)})" for level in levels]
        return f"GROUP BY GROUPING SETS ({', '.join(sets)})"
    return f"GROUP BY {', '.join(by)}" if by else ""


def _level(by: Mapping[str, str], levels: Sequence[tuple[str, ...]]) -> str:
    """Which of the levels a row belongs to, as SQL: the engine tells by a bit for each name that is not in its level."""
    if len(levels) == 1:
        return "0"
    masks = [int("".join(str(int(name not in level)) for name in by), 2) for level in levels]
    return f"transform(grouping({', '.join(by)}), {masks}, {list(range(len(levels)))}, 0)"
