"""Every model call that is counted, from the roll-ups: what is listed and repriced."""

from __future__ import annotations

from typing import Final

_KEY: Final = "TenantId, Provider, Model, RequestModel, ServerAddress, ServiceTier, InputClass, OtherUnits"

# Calls of tracium's SDK are summed when they arrive. Of other senders' calls, one that is the parent of another of its
# kind is the same call seen from further away.
CALLS: Final = f"""
SELECT
    Bucket, {_KEY}, Calls, InputTokens, OutputTokens, CacheReadTokens, CacheWriteTokens, PlainInputTokens, UnknownUsage
FROM tracium_calls_15m
UNION ALL
SELECT
    toStartOfFifteenMinutes(toDateTime(EndTime, 'UTC')) AS Bucket, {_KEY}, toUInt64(1) AS Calls,
    ifNull(one.InputTokens, 0) AS InputTokens, ifNull(one.OutputTokens, 0) AS OutputTokens,
    ifNull(one.CacheReadTokens, 0) AS CacheReadTokens, ifNull(one.CacheWriteTokens, 0) AS CacheWriteTokens,
    toUInt64(greatest(toInt128(ifNull(one.InputTokens, 0)) - toInt128(ifNull(one.CacheReadTokens, 0))
                      - toInt128(ifNull(one.CacheWriteTokens, 0)), 0)) AS PlainInputTokens,
    toUInt64((one.InputTokens IS NULL OR IsPartlyUnknown
              OR one.OutputTokens IS NULL AND Operation != 'embeddings') AND NOT IsRecorded) AS UnknownUsage
FROM (SELECT * FROM tracium_calls LIMIT 1 BY TenantId, TraceKey, SpanKey) AS one
WHERE (TenantId, TraceKey, SpanKey, Operation = 'embeddings') NOT IN
      (SELECT TenantId, TraceKey, ParentKey, Operation = 'embeddings' FROM tracium_calls WHERE ParentKey != 0)
"""  # noqa: S608 - joined from constants
