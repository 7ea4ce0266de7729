-- Log records and metrics under the column names of the OpenTelemetry Collector's ClickHouse exporter, which can write
-- here too. Every column it does not name is computed from those it does.
CREATE TABLE IF NOT EXISTS otel_logs
(
    Timestamp DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    TraceFlags UInt8,
    SeverityText LowCardinality(String) CODEC(ZSTD(1)),
    SeverityNumber UInt8,
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Body String CODEC(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion LowCardinality(String) CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    LogAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    EventName String CODEC(ZSTD(1)),

    -- No tenant is '': a tenant id is never empty.
    TenantId LowCardinality(String) MATERIALIZED LogAttributes['tenant.id'] CODEC(ZSTD(1)),
    Environment LowCardinality(String) MATERIALIZED
        if(ResourceAttributes['deployment.environment.name'] != '',
           ResourceAttributes['deployment.environment.name'], ResourceAttributes['deployment.environment']) CODEC(ZSTD(1)),
    UserId String MATERIALIZED LogAttributes['user.id'] CODEC(ZSTD(1)),
    SessionId String MATERIALIZED
        if(LogAttributes['session.id'] != '',
           LogAttributes['session.id'], LogAttributes['gen_ai.conversation.id']) CODEC(ZSTD(1)),

    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(Timestamp)
ORDER BY (TenantId, Timestamp)
-- An acknowledged insert survives a power cut, and the same one sent again is no second one.
SETTINGS cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1,
         fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

-- What `otlp_logs.proto` reads from the wire. Leaves are Nullable: 0, false and '' are values, absence is not.
CREATE TABLE IF NOT EXISTS otlp_logs
(
    resource_logs Array(Tuple(
        resource Tuple(attributes Array(Tuple(key String, value Tuple(
            string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
            double_value Nullable(Float64), bytes_value Nullable(String))))),
        scope_logs Array(Tuple(
            scope Tuple(
                name String,
                version String,
                attributes Array(Tuple(key String, value Tuple(
                    string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                    double_value Nullable(Float64), bytes_value Nullable(String))))),
            log_records Array(Tuple(
                time_unix_nano UInt64,
                severity_number Int32,
                severity_text String,
                body Tuple(
                    string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                    double_value Nullable(Float64), bytes_value Nullable(String)),
                attributes Array(Tuple(key String, value Tuple(
                    string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                    double_value Nullable(Float64), bytes_value Nullable(String)))),
                flags UInt32,
                trace_id String,
                span_id String,
                observed_time_unix_nano UInt64,
                event_name String)),
            schema_url String)),
        schema_url String)),
    keys Array(String)
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_logs_to_otel_logs TO otel_logs AS
WITH
    -- A double as Go writes it: ClickHouse has the same digits, but no '+' in an exponent.
    (d -> multiIf(isNull(d), NULL,
                  isFinite(d), replaceRegexpOne(toString(d), 'e([0-9])', 'e+\\1'),
                  isNaN(d), 'NaN', d > 0, 'Infinity', '-Infinity')) AS go_double,
    (v -> coalesce(v.string_value, toString(v.bool_value), toString(v.int_value),
                   go_double(v.double_value), base64Encode(v.bytes_value), '')) AS as_string,
    (attributes -> CAST(arraySort(one -> one.1, arrayMap(a -> (a.key, as_string(a.value)), attributes)),
                        'Map(LowCardinality(String), String)')) AS as_map,
    (id -> if(id = repeat('\0', length(id)), '', lower(hex(id)))) AS as_id,
    -- The last nanosecond that DateTime64(9) holds, in 2262.
    (nanos -> fromUnixTimestamp64Nano(toInt64(least(nanos, 9223372036854775807)), 'UTC')) AS as_time
SELECT
    as_time(if(record.time_unix_nano = 0, record.observed_time_unix_nano, record.time_unix_nano)) AS Timestamp,
    as_id(record.trace_id) AS TraceId,
    as_id(record.span_id) AS SpanId,
    toUInt8(record.flags) AS TraceFlags,
    record.severity_text AS SeverityText,
    toUInt8(record.severity_number) AS SeverityNumber,
    ResourceAttributes['service.name'] AS ServiceName,
    as_string(record.body) AS Body,
    ResourceSchemaUrl,
    ResourceAttributes,
    ScopeSchemaUrl,
    ScopeName,
    ScopeVersion,
    ScopeAttributes,
    as_map(record.attributes) AS LogAttributes,
    record.event_name AS EventName
FROM
(
    SELECT
        ResourceAttributes, ResourceSchemaUrl,
        scope_logs.scope.name AS ScopeName,
        scope_logs.scope.version AS ScopeVersion,
        as_map(scope_logs.scope.attributes) AS ScopeAttributes,
        scope_logs.schema_url AS ScopeSchemaUrl,
        arrayJoin(scope_logs.log_records) AS record
    FROM
    (
        SELECT
            as_map(one.resource.attributes) AS ResourceAttributes,
            one.schema_url AS ResourceSchemaUrl,
            arrayJoin(one.scope_logs) AS scope_logs
        FROM (SELECT arrayJoin(resource_logs) AS one FROM otlp_logs)
    )
);

CREATE TABLE IF NOT EXISTS otel_metrics_gauge
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    Value Float64 CODEC(ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Exemplars Nested
    (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime64(9, 'UTC'),
        Value Float64,
        SpanId String,
        TraceId String
    ) CODEC(ZSTD(1)),

    TenantId LowCardinality(String) MATERIALIZED Attributes['tenant.id'] CODEC(ZSTD(1)),
    Environment LowCardinality(String) MATERIALIZED
        if(ResourceAttributes['deployment.environment.name'] != '',
           ResourceAttributes['deployment.environment.name'], ResourceAttributes['deployment.environment']) CODEC(ZSTD(1)),
    UserId String MATERIALIZED Attributes['user.id'] CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(TimeUnix)
ORDER BY (TenantId, ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1,
         fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS otel_metrics_sum
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    Value Float64 CODEC(ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Exemplars Nested
    (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime64(9, 'UTC'),
        Value Float64,
        SpanId String,
        TraceId String
    ) CODEC(ZSTD(1)),
    AggregationTemporality Int32 CODEC(ZSTD(1)),
    IsMonotonic Bool CODEC(ZSTD(1)),

    TenantId LowCardinality(String) MATERIALIZED Attributes['tenant.id'] CODEC(ZSTD(1)),
    Environment LowCardinality(String) MATERIALIZED
        if(ResourceAttributes['deployment.environment.name'] != '',
           ResourceAttributes['deployment.environment.name'], ResourceAttributes['deployment.environment']) CODEC(ZSTD(1)),
    UserId String MATERIALIZED Attributes['user.id'] CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(TimeUnix)
ORDER BY (TenantId, ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1,
         fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS otel_metrics_histogram
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    Count UInt64 CODEC(ZSTD(1)),
    Sum Float64 CODEC(ZSTD(1)),
    BucketCounts Array(UInt64) CODEC(ZSTD(1)),
    ExplicitBounds Array(Float64) CODEC(ZSTD(1)),
    Exemplars Nested
    (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime64(9, 'UTC'),
        Value Float64,
        SpanId String,
        TraceId String
    ) CODEC(ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Min Float64 CODEC(ZSTD(1)),
    Max Float64 CODEC(ZSTD(1)),
    AggregationTemporality Int32 CODEC(ZSTD(1)),

    TenantId LowCardinality(String) MATERIALIZED Attributes['tenant.id'] CODEC(ZSTD(1)),
    Environment LowCardinality(String) MATERIALIZED
        if(ResourceAttributes['deployment.environment.name'] != '',
           ResourceAttributes['deployment.environment.name'], ResourceAttributes['deployment.environment']) CODEC(ZSTD(1)),
    UserId String MATERIALIZED Attributes['user.id'] CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(TimeUnix)
ORDER BY (TenantId, ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1,
         fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS otel_metrics_exponential_histogram
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    Count UInt64 CODEC(ZSTD(1)),
    Sum Float64 CODEC(ZSTD(1)),
    Scale Int32 CODEC(ZSTD(1)),
    ZeroCount UInt64 CODEC(ZSTD(1)),
    PositiveOffset Int32 CODEC(ZSTD(1)),
    PositiveBucketCounts Array(UInt64) CODEC(ZSTD(1)),
    NegativeOffset Int32 CODEC(ZSTD(1)),
    NegativeBucketCounts Array(UInt64) CODEC(ZSTD(1)),
    Exemplars Nested
    (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime64(9, 'UTC'),
        Value Float64,
        SpanId String,
        TraceId String
    ) CODEC(ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Min Float64 CODEC(ZSTD(1)),
    Max Float64 CODEC(ZSTD(1)),
    AggregationTemporality Int32 CODEC(ZSTD(1)),

    TenantId LowCardinality(String) MATERIALIZED Attributes['tenant.id'] CODEC(ZSTD(1)),
    Environment LowCardinality(String) MATERIALIZED
        if(ResourceAttributes['deployment.environment.name'] != '',
           ResourceAttributes['deployment.environment.name'], ResourceAttributes['deployment.environment']) CODEC(ZSTD(1)),
    UserId String MATERIALIZED Attributes['user.id'] CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(TimeUnix)
ORDER BY (TenantId, ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1,
         fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS otel_metrics_summary
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    Count UInt64 CODEC(ZSTD(1)),
    Sum Float64 CODEC(ZSTD(1)),
    ValueAtQuantiles Nested(Quantile Float64, Value Float64) CODEC(ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),

    TenantId LowCardinality(String) MATERIALIZED Attributes['tenant.id'] CODEC(ZSTD(1)),
    Environment LowCardinality(String) MATERIALIZED
        if(ResourceAttributes['deployment.environment.name'] != '',
           ResourceAttributes['deployment.environment.name'], ResourceAttributes['deployment.environment']) CODEC(ZSTD(1)),
    UserId String MATERIALIZED Attributes['user.id'] CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(TimeUnix)
ORDER BY (TenantId, ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1,
         fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

-- One row a metric, with the five kinds of data side by side: of each row one is filled.
CREATE TABLE IF NOT EXISTS otlp_metric
(
    ResourceAttributes Map(LowCardinality(String), String),
    ResourceSchemaUrl String,
    ScopeName String,
    ScopeVersion String,
    ScopeAttributes Map(LowCardinality(String), String),
    ScopeDroppedAttrCount UInt32,
    ScopeSchemaUrl String,
    ServiceName String,
    MetricName String,
    MetricDescription String,
    MetricUnit String,
    gauge Tuple(
        data_points Array(Tuple(
            start_time_unix_nano UInt64, time_unix_nano UInt64, as_double Nullable(Float64),
            as_int Nullable(Int64), flags UInt32,
            attributes Array(Tuple(key String, value Tuple(
                string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                double_value Nullable(Float64), bytes_value Nullable(String)))),
            exemplars Array(Tuple(
                time_unix_nano UInt64, as_double Nullable(Float64), as_int Nullable(Int64),
                span_id String, trace_id String,
                filtered_attributes Array(Tuple(key String, value Tuple(
                    string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                    double_value Nullable(Float64), bytes_value Nullable(String))))))))),
    sum Tuple(
        aggregation_temporality Int32,
        is_monotonic Bool,
        data_points Array(Tuple(
            start_time_unix_nano UInt64, time_unix_nano UInt64, as_double Nullable(Float64),
            as_int Nullable(Int64), flags UInt32,
            attributes Array(Tuple(key String, value Tuple(
                string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                double_value Nullable(Float64), bytes_value Nullable(String)))),
            exemplars Array(Tuple(
                time_unix_nano UInt64, as_double Nullable(Float64), as_int Nullable(Int64),
                span_id String, trace_id String,
                filtered_attributes Array(Tuple(key String, value Tuple(
                    string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                    double_value Nullable(Float64), bytes_value Nullable(String))))))))),
    histogram Tuple(
        aggregation_temporality Int32,
        data_points Array(Tuple(
            start_time_unix_nano UInt64, time_unix_nano UInt64, count UInt64, sum Float64, bucket_counts Array(UInt64),
            explicit_bounds Array(Float64), flags UInt32, min Float64, max Float64,
            attributes Array(Tuple(key String, value Tuple(
                string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                double_value Nullable(Float64), bytes_value Nullable(String)))),
            exemplars Array(Tuple(
                time_unix_nano UInt64, as_double Nullable(Float64), as_int Nullable(Int64),
                span_id String, trace_id String,
                filtered_attributes Array(Tuple(key String, value Tuple(
                    string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                    double_value Nullable(Float64), bytes_value Nullable(String))))))))),
    exponential_histogram Tuple(
        aggregation_temporality Int32,
        data_points Array(Tuple(
            start_time_unix_nano UInt64, time_unix_nano UInt64,
            count UInt64, sum Float64, scale Int32, zero_count UInt64,
            positive Tuple(offset Int32, bucket_counts Array(UInt64)),
            negative Tuple(offset Int32, bucket_counts Array(UInt64)), flags UInt32, min Float64, max Float64,
            attributes Array(Tuple(key String, value Tuple(
                string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                double_value Nullable(Float64), bytes_value Nullable(String)))),
            exemplars Array(Tuple(
                time_unix_nano UInt64, as_double Nullable(Float64), as_int Nullable(Int64),
                span_id String, trace_id String,
                filtered_attributes Array(Tuple(key String, value Tuple(
                    string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                    double_value Nullable(Float64), bytes_value Nullable(String))))))))),
    summary Tuple(data_points Array(Tuple(
            start_time_unix_nano UInt64, time_unix_nano UInt64, count UInt64, sum Float64,
            quantile_values Array(Tuple(quantile Float64, value Float64)), flags UInt32,
            attributes Array(Tuple(key String, value Tuple(
                string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                double_value Nullable(Float64), bytes_value Nullable(String)))))))
)
ENGINE = Null;

-- What `otlp_metrics.proto` reads from the wire.
CREATE TABLE IF NOT EXISTS otlp_metrics
(
    resource_metrics Array(Tuple(
        resource Tuple(attributes Array(Tuple(key String, value Tuple(
            string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
            double_value Nullable(Float64), bytes_value Nullable(String))))),
        scope_metrics Array(Tuple(
            scope Tuple(
                name String,
                version String,
                attributes Array(Tuple(key String, value Tuple(
                    string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                    double_value Nullable(Float64), bytes_value Nullable(String)))),
                dropped_attributes_count UInt32),
            metrics Array(Tuple(
                name String,
                description String,
                unit String,
                gauge Tuple(
                    data_points Array(Tuple(
                        start_time_unix_nano UInt64, time_unix_nano UInt64, as_double Nullable(Float64),
                        as_int Nullable(Int64), flags UInt32,
                        attributes Array(Tuple(key String, value Tuple(
                            string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                            double_value Nullable(Float64), bytes_value Nullable(String)))),
                        exemplars Array(Tuple(
                            time_unix_nano UInt64, as_double Nullable(Float64), as_int Nullable(Int64),
                            span_id String, trace_id String,
                            filtered_attributes Array(Tuple(key String, value Tuple(
                                string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                                double_value Nullable(Float64), bytes_value Nullable(String))))))))),
                sum Tuple(
                    aggregation_temporality Int32,
                    is_monotonic Bool,
                    data_points Array(Tuple(
                        start_time_unix_nano UInt64, time_unix_nano UInt64, as_double Nullable(Float64),
                        as_int Nullable(Int64), flags UInt32,
                        attributes Array(Tuple(key String, value Tuple(
                            string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                            double_value Nullable(Float64), bytes_value Nullable(String)))),
                        exemplars Array(Tuple(
                            time_unix_nano UInt64, as_double Nullable(Float64), as_int Nullable(Int64),
                            span_id String, trace_id String,
                            filtered_attributes Array(Tuple(key String, value Tuple(
                                string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                                double_value Nullable(Float64), bytes_value Nullable(String))))))))),
                histogram Tuple(
                    aggregation_temporality Int32,
                    data_points Array(Tuple(
                        start_time_unix_nano UInt64, time_unix_nano UInt64,
                        count UInt64, sum Float64, bucket_counts Array(UInt64),
                        explicit_bounds Array(Float64), flags UInt32, min Float64, max Float64,
                        attributes Array(Tuple(key String, value Tuple(
                            string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                            double_value Nullable(Float64), bytes_value Nullable(String)))),
                        exemplars Array(Tuple(
                            time_unix_nano UInt64, as_double Nullable(Float64), as_int Nullable(Int64),
                            span_id String, trace_id String,
                            filtered_attributes Array(Tuple(key String, value Tuple(
                                string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                                double_value Nullable(Float64), bytes_value Nullable(String))))))))),
                exponential_histogram Tuple(
                    aggregation_temporality Int32,
                    data_points Array(Tuple(
                        start_time_unix_nano UInt64, time_unix_nano UInt64,
                        count UInt64, sum Float64, scale Int32, zero_count UInt64,
                        positive Tuple(offset Int32, bucket_counts Array(UInt64)),
                        negative Tuple(offset Int32, bucket_counts Array(UInt64)), flags UInt32, min Float64, max Float64,
                        attributes Array(Tuple(key String, value Tuple(
                            string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                            double_value Nullable(Float64), bytes_value Nullable(String)))),
                        exemplars Array(Tuple(
                            time_unix_nano UInt64, as_double Nullable(Float64), as_int Nullable(Int64),
                            span_id String, trace_id String,
                            filtered_attributes Array(Tuple(key String, value Tuple(
                                string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                                double_value Nullable(Float64), bytes_value Nullable(String))))))))),
                summary Tuple(data_points Array(Tuple(
                        start_time_unix_nano UInt64, time_unix_nano UInt64, count UInt64, sum Float64,
                        quantile_values Array(Tuple(quantile Float64, value Float64)), flags UInt32,
                        attributes Array(Tuple(key String, value Tuple(
                            string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                            double_value Nullable(Float64), bytes_value Nullable(String))))))))),
            schema_url String)),
        schema_url String)),
    keys Array(String)
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_metrics_to_otlp_metric TO otlp_metric AS
WITH
    -- A double as Go writes it: ClickHouse has the same digits, but no '+' in an exponent.
    (d -> multiIf(isNull(d), NULL,
                  isFinite(d), replaceRegexpOne(toString(d), 'e([0-9])', 'e+\\1'),
                  isNaN(d), 'NaN', d > 0, 'Infinity', '-Infinity')) AS go_double,
    (v -> coalesce(v.string_value, toString(v.bool_value), toString(v.int_value),
                   go_double(v.double_value), base64Encode(v.bytes_value), '')) AS as_string,
    (attributes -> CAST(arraySort(one -> one.1, arrayMap(a -> (a.key, as_string(a.value)), attributes)),
                        'Map(LowCardinality(String), String)')) AS as_map
SELECT
    ResourceAttributes, ResourceSchemaUrl, ScopeName, ScopeVersion, ScopeAttributes, ScopeDroppedAttrCount, ScopeSchemaUrl,
    ResourceAttributes['service.name'] AS ServiceName,
    metric.name AS MetricName,
    metric.description AS MetricDescription,
    metric.unit AS MetricUnit,
    metric.gauge AS gauge,
    metric.sum AS sum,
    metric.histogram AS histogram,
    metric.exponential_histogram AS exponential_histogram,
    metric.summary AS summary
FROM
(
    SELECT
        ResourceAttributes, ResourceSchemaUrl,
        scope_metrics.scope.name AS ScopeName,
        scope_metrics.scope.version AS ScopeVersion,
        as_map(scope_metrics.scope.attributes) AS ScopeAttributes,
        scope_metrics.scope.dropped_attributes_count AS ScopeDroppedAttrCount,
        scope_metrics.schema_url AS ScopeSchemaUrl,
        arrayJoin(scope_metrics.metrics) AS metric
    FROM
    (
        SELECT
            as_map(one.resource.attributes) AS ResourceAttributes,
            one.schema_url AS ResourceSchemaUrl,
            arrayJoin(one.scope_metrics) AS scope_metrics
        FROM (SELECT arrayJoin(resource_metrics) AS one FROM otlp_metrics)
    )
);

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_metric_to_otel_metrics_gauge TO otel_metrics_gauge AS
WITH
    -- A double as Go writes it: ClickHouse has the same digits, but no '+' in an exponent.
    (d -> multiIf(isNull(d), NULL,
                  isFinite(d), replaceRegexpOne(toString(d), 'e([0-9])', 'e+\\1'),
                  isNaN(d), 'NaN', d > 0, 'Infinity', '-Infinity')) AS go_double,
    (v -> coalesce(v.string_value, toString(v.bool_value), toString(v.int_value),
                   go_double(v.double_value), base64Encode(v.bytes_value), '')) AS as_string,
    (attributes -> CAST(arraySort(one -> one.1, arrayMap(a -> (a.key, as_string(a.value)), attributes)),
                        'Map(LowCardinality(String), String)')) AS as_map,
    -- The last nanosecond that DateTime64(9) holds, in 2262.
    (nanos -> fromUnixTimestamp64Nano(toInt64(least(nanos, 9223372036854775807)), 'UTC')) AS as_time
SELECT
    ResourceAttributes, ResourceSchemaUrl, ScopeName, ScopeVersion, ScopeAttributes, ScopeDroppedAttrCount, ScopeSchemaUrl,
    ServiceName, MetricName, MetricDescription, MetricUnit,
    as_map(point.attributes) AS Attributes,
    as_time(point.start_time_unix_nano) AS StartTimeUnix,
    as_time(point.time_unix_nano) AS TimeUnix,
    coalesce(point.as_double, toFloat64(point.as_int), 0) AS Value,
    arrayMap(e -> as_map(e.filtered_attributes), point.exemplars) AS `Exemplars.FilteredAttributes`,
    arrayMap(e -> as_time(e.time_unix_nano), point.exemplars) AS `Exemplars.TimeUnix`,
    arrayMap(e -> coalesce(e.as_double, toFloat64(e.as_int), 0), point.exemplars) AS `Exemplars.Value`,
    arrayMap(e -> if(e.span_id = '', repeat('0', 16), lower(hex(e.span_id))), point.exemplars) AS `Exemplars.SpanId`,
    arrayMap(e -> if(e.trace_id = '', repeat('0', 32), lower(hex(e.trace_id))), point.exemplars) AS `Exemplars.TraceId`,
    point.flags AS Flags
FROM (SELECT *, arrayJoin(gauge.data_points) AS point FROM otlp_metric);

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_metric_to_otel_metrics_sum TO otel_metrics_sum AS
WITH
    -- A double as Go writes it: ClickHouse has the same digits, but no '+' in an exponent.
    (d -> multiIf(isNull(d), NULL,
                  isFinite(d), replaceRegexpOne(toString(d), 'e([0-9])', 'e+\\1'),
                  isNaN(d), 'NaN', d > 0, 'Infinity', '-Infinity')) AS go_double,
    (v -> coalesce(v.string_value, toString(v.bool_value), toString(v.int_value),
                   go_double(v.double_value), base64Encode(v.bytes_value), '')) AS as_string,
    (attributes -> CAST(arraySort(one -> one.1, arrayMap(a -> (a.key, as_string(a.value)), attributes)),
                        'Map(LowCardinality(String), String)')) AS as_map,
    -- The last nanosecond that DateTime64(9) holds, in 2262.
    (nanos -> fromUnixTimestamp64Nano(toInt64(least(nanos, 9223372036854775807)), 'UTC')) AS as_time
SELECT
    ResourceAttributes, ResourceSchemaUrl, ScopeName, ScopeVersion, ScopeAttributes, ScopeDroppedAttrCount, ScopeSchemaUrl,
    ServiceName, MetricName, MetricDescription, MetricUnit,
    as_map(point.attributes) AS Attributes,
    as_time(point.start_time_unix_nano) AS StartTimeUnix,
    as_time(point.time_unix_nano) AS TimeUnix,
    coalesce(point.as_double, toFloat64(point.as_int), 0) AS Value,
    arrayMap(e -> as_map(e.filtered_attributes), point.exemplars) AS `Exemplars.FilteredAttributes`,
    arrayMap(e -> as_time(e.time_unix_nano), point.exemplars) AS `Exemplars.TimeUnix`,
    arrayMap(e -> coalesce(e.as_double, toFloat64(e.as_int), 0), point.exemplars) AS `Exemplars.Value`,
    arrayMap(e -> if(e.span_id = '', repeat('0', 16), lower(hex(e.span_id))), point.exemplars) AS `Exemplars.SpanId`,
    arrayMap(e -> if(e.trace_id = '', repeat('0', 32), lower(hex(e.trace_id))), point.exemplars) AS `Exemplars.TraceId`,
    point.flags AS Flags,
    AggregationTemporality,
    IsMonotonic
FROM
(
    SELECT
        *, arrayJoin(sum.data_points) AS point,
        sum.aggregation_temporality AS AggregationTemporality,
        sum.is_monotonic AS IsMonotonic
    FROM otlp_metric
);

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_metric_to_otel_metrics_histogram TO otel_metrics_histogram AS
WITH
    -- A double as Go writes it: ClickHouse has the same digits, but no '+' in an exponent.
    (d -> multiIf(isNull(d), NULL,
                  isFinite(d), replaceRegexpOne(toString(d), 'e([0-9])', 'e+\\1'),
                  isNaN(d), 'NaN', d > 0, 'Infinity', '-Infinity')) AS go_double,
    (v -> coalesce(v.string_value, toString(v.bool_value), toString(v.int_value),
                   go_double(v.double_value), base64Encode(v.bytes_value), '')) AS as_string,
    (attributes -> CAST(arraySort(one -> one.1, arrayMap(a -> (a.key, as_string(a.value)), attributes)),
                        'Map(LowCardinality(String), String)')) AS as_map,
    -- The last nanosecond that DateTime64(9) holds, in 2262.
    (nanos -> fromUnixTimestamp64Nano(toInt64(least(nanos, 9223372036854775807)), 'UTC')) AS as_time
SELECT
    ResourceAttributes, ResourceSchemaUrl, ScopeName, ScopeVersion, ScopeAttributes, ScopeDroppedAttrCount, ScopeSchemaUrl,
    ServiceName, MetricName, MetricDescription, MetricUnit,
    as_map(point.attributes) AS Attributes,
    as_time(point.start_time_unix_nano) AS StartTimeUnix,
    as_time(point.time_unix_nano) AS TimeUnix,
    point.count AS Count,
    point.sum AS Sum,
    point.bucket_counts AS BucketCounts,
    point.explicit_bounds AS ExplicitBounds,
    arrayMap(e -> as_map(e.filtered_attributes), point.exemplars) AS `Exemplars.FilteredAttributes`,
    arrayMap(e -> as_time(e.time_unix_nano), point.exemplars) AS `Exemplars.TimeUnix`,
    arrayMap(e -> coalesce(e.as_double, toFloat64(e.as_int), 0), point.exemplars) AS `Exemplars.Value`,
    arrayMap(e -> if(e.span_id = '', repeat('0', 16), lower(hex(e.span_id))), point.exemplars) AS `Exemplars.SpanId`,
    arrayMap(e -> if(e.trace_id = '', repeat('0', 32), lower(hex(e.trace_id))), point.exemplars) AS `Exemplars.TraceId`,
    point.flags AS Flags,
    point.min AS Min,
    point.max AS Max,
    AggregationTemporality
FROM
(
    SELECT
        *, arrayJoin(histogram.data_points) AS point,
        histogram.aggregation_temporality AS AggregationTemporality
    FROM otlp_metric
);

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_metric_to_otel_metrics_exponential_histogram TO otel_metrics_exponential_histogram AS
WITH
    -- A double as Go writes it: ClickHouse has the same digits, but no '+' in an exponent.
    (d -> multiIf(isNull(d), NULL,
                  isFinite(d), replaceRegexpOne(toString(d), 'e([0-9])', 'e+\\1'),
                  isNaN(d), 'NaN', d > 0, 'Infinity', '-Infinity')) AS go_double,
    (v -> coalesce(v.string_value, toString(v.bool_value), toString(v.int_value),
                   go_double(v.double_value), base64Encode(v.bytes_value), '')) AS as_string,
    (attributes -> CAST(arraySort(one -> one.1, arrayMap(a -> (a.key, as_string(a.value)), attributes)),
                        'Map(LowCardinality(String), String)')) AS as_map,
    -- The last nanosecond that DateTime64(9) holds, in 2262.
    (nanos -> fromUnixTimestamp64Nano(toInt64(least(nanos, 9223372036854775807)), 'UTC')) AS as_time
SELECT
    ResourceAttributes, ResourceSchemaUrl, ScopeName, ScopeVersion, ScopeAttributes, ScopeDroppedAttrCount, ScopeSchemaUrl,
    ServiceName, MetricName, MetricDescription, MetricUnit,
    as_map(point.attributes) AS Attributes,
    as_time(point.start_time_unix_nano) AS StartTimeUnix,
    as_time(point.time_unix_nano) AS TimeUnix,
    point.count AS Count,
    point.sum AS Sum,
    point.scale AS Scale,
    point.zero_count AS ZeroCount,
    point.positive.offset AS PositiveOffset,
    point.positive.bucket_counts AS PositiveBucketCounts,
    point.negative.offset AS NegativeOffset,
    point.negative.bucket_counts AS NegativeBucketCounts,
    arrayMap(e -> as_map(e.filtered_attributes), point.exemplars) AS `Exemplars.FilteredAttributes`,
    arrayMap(e -> as_time(e.time_unix_nano), point.exemplars) AS `Exemplars.TimeUnix`,
    arrayMap(e -> coalesce(e.as_double, toFloat64(e.as_int), 0), point.exemplars) AS `Exemplars.Value`,
    arrayMap(e -> if(e.span_id = '', repeat('0', 16), lower(hex(e.span_id))), point.exemplars) AS `Exemplars.SpanId`,
    arrayMap(e -> if(e.trace_id = '', repeat('0', 32), lower(hex(e.trace_id))), point.exemplars) AS `Exemplars.TraceId`,
    point.flags AS Flags,
    point.min AS Min,
    point.max AS Max,
    AggregationTemporality
FROM
(
    SELECT
        *, arrayJoin(exponential_histogram.data_points) AS point,
        exponential_histogram.aggregation_temporality AS AggregationTemporality
    FROM otlp_metric
);

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_metric_to_otel_metrics_summary TO otel_metrics_summary AS
WITH
    -- A double as Go writes it: ClickHouse has the same digits, but no '+' in an exponent.
    (d -> multiIf(isNull(d), NULL,
                  isFinite(d), replaceRegexpOne(toString(d), 'e([0-9])', 'e+\\1'),
                  isNaN(d), 'NaN', d > 0, 'Infinity', '-Infinity')) AS go_double,
    (v -> coalesce(v.string_value, toString(v.bool_value), toString(v.int_value),
                   go_double(v.double_value), base64Encode(v.bytes_value), '')) AS as_string,
    (attributes -> CAST(arraySort(one -> one.1, arrayMap(a -> (a.key, as_string(a.value)), attributes)),
                        'Map(LowCardinality(String), String)')) AS as_map,
    -- The last nanosecond that DateTime64(9) holds, in 2262.
    (nanos -> fromUnixTimestamp64Nano(toInt64(least(nanos, 9223372036854775807)), 'UTC')) AS as_time
SELECT
    ResourceAttributes, ResourceSchemaUrl, ScopeName, ScopeVersion, ScopeAttributes, ScopeDroppedAttrCount, ScopeSchemaUrl,
    ServiceName, MetricName, MetricDescription, MetricUnit,
    as_map(point.attributes) AS Attributes,
    as_time(point.start_time_unix_nano) AS StartTimeUnix,
    as_time(point.time_unix_nano) AS TimeUnix,
    point.count AS Count,
    point.sum AS Sum,
    arrayMap(q -> q.quantile, point.quantile_values) AS `ValueAtQuantiles.Quantile`,
    arrayMap(q -> q.value, point.quantile_values) AS `ValueAtQuantiles.Value`,
    point.flags AS Flags
FROM (SELECT *, arrayJoin(summary.data_points) AS point FROM otlp_metric);

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_logs_to_tracium_received TO tracium_received AS
SELECT arrayJoin(keys) AS Key FROM otlp_logs;

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_metrics_to_tracium_received TO tracium_received AS
SELECT arrayJoin(keys) AS Key FROM otlp_metrics;
