-- How long what is kept; the latest row of a tenant and a signal holds.
CREATE TABLE IF NOT EXISTS tracium_retention
(
    -- '': every tenant without a rule of its own.
    TenantId String,
    -- spans, logs, metrics or rollups.
    Signal LowCardinality(String),
    -- NULL: the rule was taken back.
    Days Nullable(UInt32),
    -- When it was set, in nanoseconds since 1970.
    Revision UInt64
)
ENGINE = ReplacingMergeTree(Revision)
ORDER BY (TenantId, Signal)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- What was erased: whatever belongs to a subject and ended before that moment is kept out from then on.
CREATE TABLE IF NOT EXISTS tracium_erasures
(
    Id String,
    -- The hash of a tenant, of a user, or of a user of a tenant under this store's key: no name stands here.
    Subject UInt64,
    Before DateTime64(9, 'UTC'),
    -- 'begun', and in a second row 'done'.
    Phase LowCardinality(String),
    At DateTime64(6, 'UTC'),
    -- How many rows went, by table.
    Erased Map(String, UInt64)
)
ENGINE = MergeTree
ORDER BY (Subject, Id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- The key of these hashes: the earliest row is in force.
CREATE TABLE IF NOT EXISTS tracium_erasure_key
(
    MadeAt DateTime64(9, 'UTC'),
    First UInt64,
    Second UInt64
)
ENGINE = MergeTree
ORDER BY (MadeAt, First, Second)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- The engine looks every second, not every half minute, whether files have to go: what is erased is soon off the disk.
ALTER TABLE otel_traces
    MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1;
ALTER TABLE otel_logs
    MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1;
ALTER TABLE otel_metrics_gauge
    MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1;
ALTER TABLE otel_metrics_sum
    MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1;
ALTER TABLE otel_metrics_histogram
    MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1;
ALTER TABLE otel_metrics_exponential_histogram
    MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1;
ALTER TABLE otel_metrics_summary
    MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1;
ALTER TABLE tracium_requests_15m
    MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1;
ALTER TABLE tracium_calls_15m
    MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1;
ALTER TABLE tracium_calls
    MODIFY SETTING cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1;
