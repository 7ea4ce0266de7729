"""The reading of sums into numbers: what is unknown stays unknown."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tracium.server.access.principal import Grant
from tracium.server.usage import Change, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracium.server.access.principal import Principal

    Row = Mapping[str, Any]

# Up to here the engine counts distinct traces exactly.
_EXACT_TRACES: Final = 65_536
_NO_ROW: Final[Row] = {}


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
        "last_seen": last_seen(row),
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


def last_seen(row: Row) -> datetime | None:
    """When the last span ended; a row of sums over nothing has 1970."""
    moment = row.get("LastSeen")
    return _in_utc(moment) if moment is not None and moment.year > 1970 else None  # noqa: PLR2004 - see above


def _quantiles(row: Row) -> tuple[float | None, float | None, float | None]:
    found: Sequence[float] = row.get("Latency") or ()
    p50, p95, p99 = (None if math.isnan(one) else one for one in found) if found else (None, None, None)
    return p50, p95, p99


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
