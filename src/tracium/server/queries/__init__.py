"""Every question to the store: the only module that writes SQL which reads, and each function takes a scope."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from tracium.server.scope import TenantScope
from tracium.server.usage import TenantUsage, UsageReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.store import Store
    from tracium.server.timerange import TimeRange

# Where an instrumentation and the client library under it each make a span for one call, the outer one ends later.
_WRAPPER_MARGIN_NS: Final = 3600 * 10**9

_IN_RANGE: Final = (
    "EndTime >= fromUnixTimestamp64Nano({start:Int64}, 'UTC') AND EndTime < fromUnixTimestamp64Nano({end:Int64}, 'UTC')"
)
_NEAR_RANGE: Final = (
    "EndTime >= fromUnixTimestamp64Nano({near_start:Int64}, 'UTC') "
    "AND EndTime < fromUnixTimestamp64Nano({near_end:Int64}, 'UTC')"
)


def usage(store: Store, scope: TenantScope, time_range: TimeRange) -> UsageReport:
    """What each tenant of `scope` did in `time_range`; spans without a tenant are seen by `TenantScope.all` only.

    Raises:
        StoreError: the store could not answer.
    """
    rows = store.rows(scope, _USAGE_SQL, _range(time_range))
    return UsageReport(time_range, tuple(sorted(map(_tenant_usage, rows), key=_rank)))


def ready(store: Store) -> None:
    """Ask the store for a sign of life, which is nobody's data.

    Raises:
        StoreError: the store could not answer.
    """
    store.rows(TenantScope.all(), "SELECT 1 AS one")


# A span counts once however often it was sent. The tenant is part of what makes it the same: no tenant can displace
# another one's span by sending its ids. A model-call span around another one of its kind is the same call seen from
# further away; the inner one is what the provider answered. Usage that was recorded by hand, and model calls of traces that
# were sampled out, stand alone: they are no traces.
_USAGE_SQL: Final = f"""
SELECT
    TenantId AS tenant,
    uniqExactIf(TraceId, NOT IsAlone) AS traces,
    countIf(IsRequest) AS requests,
    countIf(IsRequest AND IsError) AS errors,
    quantilesExactInclusiveIf(0.5, 0.95)(Nanoseconds, IsRequest) AS latency,
    countIf(IsCall) AS model_calls,
    countIf(IsCall AND IsError) AS model_call_errors,
    quantilesExactInclusiveIf(0.5, 0.95)(Nanoseconds, IsCall AND NOT IsRecorded) AS model_call_latency,
    sumIf(toUInt128(InputTokens), IsCall) AS input_tokens,
    sumIf(toUInt128(OutputTokens), IsCall) AS output_tokens,
    countIf(IsCall AND NoInput) AS unknown_input,
    countIf(IsCall AND NoOutput) AS unknown_output,
    countIf(IsCall AND (NoInput OR NoOutput)) AS unknown_usage
FROM
(
    SELECT
        TenantId, TraceId, IsRequest, IsError, IsRecorded, InputTokens, OutputTokens,
        IsRecorded OR IsSampledOut AS IsAlone,
        -- What was recorded by hand says all that there is: images have no tokens.
        (InputTokens IS NULL OR IsPartlyUnknown) AND NOT IsRecorded AS NoInput,
        (OutputTokens IS NULL OR IsPartlyUnknown) AND Operation != 'embeddings' AND NOT IsRecorded AS NoOutput,
        greatest(toInt64(Duration), 0) AS Nanoseconds,
        IsModelCall AND (TenantId, TraceId, SpanId, Operation = 'embeddings') NOT IN
        (
            SELECT TenantId, TraceId, ParentSpanId, Operation = 'embeddings'
            FROM otel_traces
            WHERE IsModelCall AND ParentSpanId != '' AND {_NEAR_RANGE}
        ) AS IsCall
    FROM otel_traces
    WHERE {_IN_RANGE}
    LIMIT 1 BY TenantId, TraceId, SpanId
)
GROUP BY tenant
"""  # noqa: S608 - joined from constants; values are bound


def _range(time_range: TimeRange) -> dict[str, int]:
    return {
        "start": time_range.start_ns,
        "end": time_range.end_ns,
        "near_start": time_range.start_ns - _WRAPPER_MARGIN_NS,
        "near_end": time_range.end_ns + _WRAPPER_MARGIN_NS,
    }


def _tenant_usage(row: Mapping[str, Any]) -> TenantUsage:
    p50, p95 = map(_milliseconds, row["latency"])
    call_p50, call_p95 = map(_milliseconds, row["model_call_latency"])
    return TenantUsage(
        tenant=row["tenant"] or None,
        traces=row["traces"],
        requests=row["requests"],
        errors=row["errors"],
        p50_ms=p50,
        p95_ms=p95,
        model_calls=row["model_calls"],
        model_call_errors=row["model_call_errors"],
        model_call_p50_ms=call_p50,
        model_call_p95_ms=call_p95,
        input_tokens=_known(row["input_tokens"], unknown=row["unknown_input"]),
        output_tokens=_known(row["output_tokens"], unknown=row["unknown_output"]),
        unknown_input=row["unknown_input"],
        unknown_output=row["unknown_output"],
        unknown_usage=row["unknown_usage"],
    )


def _known(total: int | None, *, unknown: int) -> int | None:
    """A sum over nothing is 0; a sum over calls of which none said is unknown."""
    if total is None and not unknown:
        return 0
    return total


def _milliseconds(nanoseconds: float) -> float | None:
    return None if math.isnan(nanoseconds) else nanoseconds / 1e6


def _rank(row: TenantUsage) -> tuple[bool, int, int, str]:
    tokens = (row.input_tokens or 0) + (row.output_tokens or 0)
    return row.tenant is None, -tokens, -row.traces, row.tenant or ""
