"""Sums over the relations, by whatever is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tracium.server import prices
from tracium.server.access.principal import Grant
from tracium.server.prices.key import KEY_COLUMNS
from tracium.server.queries.beside import beside
from tracium.server.queries.numbers import last_seen
from tracium.server.queries.relations import CALL_SUMS, REQUEST_SUMS, calls, requests
from tracium.server.timerange import TimeRange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracium.server.access.principal import Principal
    from tracium.server.queries.question import Question
    from tracium.server.store import Store

    Row = Mapping[str, Any]

# Of a row that is summed over more than any level is.
_NO_LEVEL: Final = 255
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


@dataclass(frozen=True, slots=True)
class _Grouping:
    """What there is a row for.

    Args:
        by: SQL over what `requests` and `calls` both have, by its name.
        levels: for each of these there are rows of their own, by the values of its names: the first ones of `by`, in
            their order. One level has all names, and the others are summed from it.
        whole: SQL: which rows' traces and latency of calls are merged, too. All, unless the period before is looked at,
            of which they are not shown.
    """

    by: Mapping[str, str]
    levels: Sequence[tuple[str, ...]]
    whole: str = "true"

    def named(self) -> str:
        return _named(self.by)

    def grouped(self) -> str:
        return _grouped(self.by, self.levels)

    def level(self) -> str:
        """Which of the levels a row belongs to, as SQL: the engine tells by a bit for each name that is not in its level."""
        if len(self.levels) == 1:
            return "0"
        masks = [2 ** (len(self.by) - len(level)) - 1 for level in self.levels]
        return f"transform(grouping({', '.join(self.by)}), {masks}, {list(range(len(self.levels)))}, {_NO_LEVEL})"


def usage_rows(
    store: Store, asker: Principal, question: Question, by: Mapping[str, str], *levels: tuple[str, ...]
) -> tuple[Numbers, ...]:
    """Sums over requests and over model calls, the latter with their latency, and with their cost if `asker` may see it.

    Args:
        store: where from.
        asker: who asks, which decides what is seen.
        question: when, whose and where.
        by: what there is a row for: SQL over what `requests` and `calls` both have, by its name.
        levels: for each of these there are numbers of their own, by the values of its names: the first ones of `by`, in
            their order. Several take hardly more time than one. None: one level with all names.

    Raises:
        StoreError: the store could not answer.
    """
    return _summed(store, asker, question, _Grouping(by, levels or (tuple(by),)))


def usage_rows_and_before(
    store: Store, asker: Principal, question: Question, by: Mapping[str, str], *levels: tuple[str, ...]
) -> tuple[tuple[Numbers, ...], Numbers]:
    """The same as `usage_rows`, and the sums of the period before by the names of the last level.

    Traces and the latency of calls are not counted of the period before.

    Raises:
        StoreError: the store could not answer.
    """
    before = question.before()
    both = replace(question, range=TimeRange(before.range.start, question.range.end))
    of_others = not both.is_empty and _has_calls_of_others(store, asker, both)
    if before.is_empty or question.is_empty or of_others or not both.quarters().is_told_apart(question.range.start_ns):
        known = None if of_others else False
        grouping = _Grouping({name: by[name] for name in levels[-1]}, levels[-1:], "false")
        now, (then,) = beside(
            partial(_summed, store, asker, question, _Grouping(by, levels), of_others=known),
            partial(_summed, store, asker, before, grouping, of_others=known),
        )
        return now, then
    found = _summed(store, asker, both, _in_halves(question, by, levels), of_others=False)
    return tuple(_half(one, is_now=True) for one in found), _half(found[-1], is_now=False)


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
    return _call_rows(store, asker, question, _Grouping(by, (tuple(by),)), latency=True, of_others=of_others)


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
    grouping = _Grouping(by, (tuple(by),))
    return store.rows(asker.scope, _priced_sums(relation, prices.Cuts.of(store), grouping, latency=False))


def _has_calls_of_others(store: Store, asker: Principal, question: Question) -> bool:
    """Whether there are calls of senders that are not tracium's: looking for the outer ones of them takes its time."""
    sql = f"SELECT 1 AS one FROM tracium_calls WHERE {question.touched()} LIMIT 1"  # noqa: S608 - see `literal`
    return bool(store.rows(asker.scope, sql))


def _in_halves(question: Question, by: Mapping[str, str], levels: Sequence[tuple[str, ...]]) -> _Grouping:
    """The grouping of a question and of the period before it at once, in which `is_now` is the first of the names."""
    is_now = f"one.Bucket >= toDateTime({question.range.start_ns // 10**9}, 'UTC')"
    halved = {"is_now": is_now}
    for name, expression in by.items():
        # Nobody asks how the period before went on.
        is_of_both = name in levels[-1]
        halved[name] = (
            expression if is_of_both else f"if({is_now}, {expression}, defaultValueOfArgumentType({expression}))"
        )
    return _Grouping(halved, tuple(("is_now", *level) for level in levels), whole=is_now)


def _half(found: Numbers, *, is_now: bool) -> Numbers:
    return Numbers(
        *(
            {key[1:]: row for key, row in rows.items() if bool(key[0]) is is_now}
            for rows in (found.requests, found.calls)
        )
    )


def _summed(
    store: Store, asker: Principal, question: Question, grouping: _Grouping, *, of_others: bool | None = None
) -> tuple[Numbers, ...]:
    """Both kinds of sums by level; `of_others` may be known."""
    levels = grouping.levels
    found = tuple(Numbers({}, {}) for _ in levels)
    if question.is_empty:
        return found
    if of_others is None:
        of_others = _has_calls_of_others(store, asker, question)
    of_requests, of_calls = beside(
        partial(store.rows, asker.scope, _request_sums(question, grouping, of_others=of_others)),
        partial(_call_rows, store, asker, question, grouping, latency=False, of_others=of_others),
    )
    for row in of_requests:
        # Sums over nothing are a row, too, where there is nothing to group by.
        if row["Level"] != _NO_LEVEL and last_seen(row) is not None:
            found[row["Level"]].requests[tuple(row[name] for name in levels[row["Level"]])] = row
    for row in of_calls:
        if row["Level"] != _NO_LEVEL and row["Calls"]:
            key = tuple(row[name] for name in levels[row["Level"]])
            latency = found[row["Level"]].requests.get(key, _NO_ROW).get("CallLatency", ())
            found[row["Level"]].calls[key] = {**row, "Latency": latency}
    return found


def _request_sums(question: Question, grouping: _Grouping, *, of_others: bool) -> str:
    return f"""
        SELECT {grouping.named()} {_REQUEST_SUMS}, sumIf(one.Requests, one.TenantId = '') AS RequestsOfNone,
            quantilesBFloat16Merge{_QUANTILES}(one.Latency) AS Latency, {_shown_of_whole(grouping.whole)},
            max(one.LastSeen) AS LastSeen, {grouping.level()} AS Level
        FROM ({requests(question, of_others=of_others)}) AS one
        {grouping.grouped()}"""  # noqa: S608 - see `literal`


def _shown_of_whole(whole: str) -> str:
    # Sketches take the time.
    if whole == "false":
        return "0 AS Traces, CAST([], 'Array(Float64)') AS CallLatency"
    if whole == "true":
        return f"uniqMerge(one.Traces) AS Traces, quantilesBFloat16Merge{_QUANTILES}(one.CallLatency) AS CallLatency"
    return (
        f"uniqMergeIf(one.Traces, {whole}) AS Traces, "
        f"quantilesBFloat16MergeIf{_QUANTILES}(one.CallLatency, {whole}) AS CallLatency"
    )


def _call_rows(  # noqa: PLR0913 - each is a part of the question
    store: Store, asker: Principal, question: Question, grouping: _Grouping, *, latency: bool, of_others: bool
) -> list[dict[str, Any]]:
    relation = calls(question, of_others=of_others)
    if asker.may(Grant.COST):
        prices.ensure(store)
        return store.rows(asker.scope, _priced_sums(relation, prices.Cuts.of(store), grouping, latency=latency))
    return store.rows(
        asker.scope,
        f"""
        SELECT {grouping.named()} {_SUMS} {_merged(latency=latency)}, {grouping.level()} AS Level
        FROM ({relation}) AS one
        {grouping.grouped()}""",  # noqa: S608 - see `literal`
    )


def _priced_sums(relation: str, cuts: prices.Cuts, grouping: _Grouping, *, latency: bool) -> str:
    """Sums over a relation of model calls with their cost, as a SELECT.

    Args:
        relation: as `calls` gives it.
        cuts: between which moments prices do not change.
        grouping: what there is a row for; what begins with ``one.Unpriced`` is known only with the price.
        latency: whether the quantiles of latency are wanted: they take the most time.
    """
    by = grouping.by
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
            sum(one.Cost) AS Cost, sum(one.UnpricedCalls) AS UnpricedCalls, {grouping.level()} AS Level
        FROM ({prices.priced(alike)}) AS one
        {_grouped(told, grouping.levels)}"""  # noqa: S608 - see `literal`


def _merged(*, latency: bool) -> str:
    return f", quantilesBFloat16Merge{_QUANTILES}(one.Latency) AS Latency" if latency else ""


def _named(by: Mapping[str, str]) -> str:
    return "".join(f"{expression} AS {name}, " for name, expression in by.items())


def _grouped(by: Mapping[str, str], levels: Sequence[tuple[str, ...]]) -> str:
    if not by:
        return ""
    return f"GROUP BY {', '.join(by)}{' WITH ROLLUP' if len(levels) > 1 else ''}"
