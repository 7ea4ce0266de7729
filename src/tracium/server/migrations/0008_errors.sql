-- What errors are grouped by; of spans without an error it costs nothing.
ALTER TABLE otel_traces
    ADD COLUMN IF NOT EXISTS ErrorType LowCardinality(String) MATERIALIZED
        multiIf(StatusCode != 'Error', '',
                SpanAttributes['error.type'] != '', SpanAttributes['error.type'],
                Events.Attributes[indexOf(Events.Name, 'exception')]['exception.type']) CODEC(ZSTD(1)),
    ADD INDEX IF NOT EXISTS idx_session_id SessionId TYPE bloom_filter(0.01) GRANULARITY 1;

-- Errors by themselves: among the spans they are few and everywhere, so that looking for them would read all.
CREATE TABLE IF NOT EXISTS tracium_errors
(
    TenantId LowCardinality(String),
    EndTime DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Model LowCardinality(String) CODEC(ZSTD(1)),
    Operation LowCardinality(String) CODEC(ZSTD(1)),
    UserId String CODEC(ZSTD(1)),
    ErrorType LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(EndTime)
ORDER BY (TenantId, EndTime, TraceId, SpanId)
SETTINGS cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1,
         fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_to_tracium_errors TO tracium_errors AS
SELECT
    TenantId, EndTime, TraceId, SpanId, Environment, ServiceName, Model, Operation, UserId, ErrorType, StatusMessage
FROM otel_traces
WHERE IsError AND NOT IsRecorded;

-- What the store of an earlier release holds; where this was interrupted, it begins anew.
TRUNCATE TABLE tracium_errors;
INSERT INTO tracium_errors
SELECT
    TenantId, EndTime, TraceId, SpanId, Environment, ServiceName, Model, Operation, UserId, ErrorType, StatusMessage
FROM otel_traces
WHERE IsError AND NOT IsRecorded;
