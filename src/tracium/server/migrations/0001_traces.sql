-- Spans under the column names of the OpenTelemetry Collector's ClickHouse exporter, which can write here too.
-- Every column it does not name is computed from those it does.
CREATE TABLE IF NOT EXISTS otel_traces
(
    Timestamp DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested
    (
        Timestamp DateTime64(9, 'UTC'),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    Links Nested
    (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),

    -- The exporter writes a negative duration as its two's complement: read back as signed, the end is right.
    EndTime DateTime64(9, 'UTC') DEFAULT Timestamp + toIntervalNanosecond(toInt64(Duration)) CODEC(Delta, ZSTD(1)),

    -- No tenant is '': a tenant id is never empty.
    TenantId LowCardinality(String) MATERIALIZED SpanAttributes['tenant.id'] CODEC(ZSTD(1)),
    Operation LowCardinality(String) MATERIALIZED SpanAttributes['gen_ai.operation.name'] CODEC(ZSTD(1)),
    Provider LowCardinality(String) MATERIALIZED
        if(mapContains(SpanAttributes, 'gen_ai.provider.name'),
           SpanAttributes['gen_ai.provider.name'], SpanAttributes['gen_ai.system']) CODEC(ZSTD(1)),
    Model LowCardinality(String) MATERIALIZED
        if(SpanAttributes['gen_ai.response.model'] != '',
           SpanAttributes['gen_ai.response.model'], SpanAttributes['gen_ai.request.model']) CODEC(ZSTD(1)),
    InputTokens Nullable(UInt64) MATERIALIZED
        coalesce(toUInt64OrNull(SpanAttributes['gen_ai.usage.input_tokens']),
                 toUInt64OrNull(SpanAttributes['gen_ai.usage.prompt_tokens'])) CODEC(ZSTD(1)),
    OutputTokens Nullable(UInt64) MATERIALIZED
        coalesce(toUInt64OrNull(SpanAttributes['gen_ai.usage.output_tokens']),
                 toUInt64OrNull(SpanAttributes['gen_ai.usage.completion_tokens'])) CODEC(ZSTD(1)),
    IsError Bool MATERIALIZED StatusCode = 'Error',
    IsRequest Bool MATERIALIZED SpanKind IN ('Server', 'Consumer') OR ParentSpanId = '',
    IsModelCall Bool MATERIALIZED
        SpanAttributes['gen_ai.operation.name'] IN ('chat', 'text_completion', 'generate_content', 'embeddings'),

    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1
)
-- A retried span has the same key and is folded away in the background; queries do not rely on it.
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(EndTime)
ORDER BY (TenantId, EndTime, TraceId, SpanId)
-- An acknowledged insert survives a power cut.
SETTINGS cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1,
         fsync_after_insert = 1, fsync_part_directory = 1;

-- What `otlp_traces.proto` reads from the wire. Leaves are Nullable: 0, false and '' are values, absence is not.
CREATE TABLE IF NOT EXISTS otlp_traces
(
    resource_spans Array(Tuple(
        resource Tuple(attributes Array(Tuple(key String, value Tuple(
            string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
            double_value Nullable(Float64), bytes_value Nullable(String))))),
        scope_spans Array(Tuple(
            scope Tuple(name String, version String),
            spans Array(Tuple(
                trace_id String,
                span_id String,
                trace_state String,
                parent_span_id String,
                name String,
                kind Int32,
                start_time_unix_nano UInt64,
                end_time_unix_nano UInt64,
                attributes Array(Tuple(key String, value Tuple(
                    string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                    double_value Nullable(Float64), bytes_value Nullable(String)))),
                events Array(Tuple(
                    time_unix_nano UInt64,
                    name String,
                    attributes Array(Tuple(key String, value Tuple(
                        string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                        double_value Nullable(Float64), bytes_value Nullable(String)))))),
                links Array(Tuple(
                    trace_id String,
                    span_id String,
                    trace_state String,
                    attributes Array(Tuple(key String, value Tuple(
                        string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                        double_value Nullable(Float64), bytes_value Nullable(String)))))),
                status Tuple(message String, code Int32)))))))
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_traces_to_otel_traces TO otel_traces AS
WITH
    -- A double as Go writes it: ClickHouse has the same digits, but no '+' in an exponent.
    (d -> multiIf(isNull(d), NULL,
                  isFinite(d), replaceRegexpOne(toString(d), 'e([0-9])', 'e+\\1'),
                  concat('json: unsupported value: ', multiIf(isNaN(d), 'NaN', d > 0, '+Inf', '-Inf')))) AS go_double,
    (v -> coalesce(v.string_value, toString(v.bool_value), toString(v.int_value),
                   go_double(v.double_value), base64Encode(v.bytes_value), '')) AS as_string,
    (attributes -> CAST(arrayMap(a -> (a.key, as_string(a.value)), attributes),
                        'Map(LowCardinality(String), String)')) AS as_map,
    -- The last nanosecond that DateTime64(9) holds, in 2262.
    (nanos -> fromUnixTimestamp64Nano(toInt64(least(nanos, 9223372036854775807)), 'UTC')) AS as_time
SELECT
    as_time(span.start_time_unix_nano) AS Timestamp,
    as_time(span.end_time_unix_nano) AS EndTime,
    lower(hex(span.trace_id)) AS TraceId,
    lower(hex(span.span_id)) AS SpanId,
    if(span.parent_span_id = unhex('0000000000000000'), '', lower(hex(span.parent_span_id))) AS ParentSpanId,
    span.trace_state AS TraceState,
    span.name AS SpanName,
    transform(span.kind, [0, 1, 2, 3, 4, 5],
              ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'], '') AS SpanKind,
    ResourceAttributes['service.name'] AS ServiceName,
    ResourceAttributes,
    scope.name AS ScopeName,
    scope.version AS ScopeVersion,
    as_map(span.attributes) AS SpanAttributes,
    if(span.end_time_unix_nano > span.start_time_unix_nano,
       span.end_time_unix_nano - span.start_time_unix_nano, 0) AS Duration,
    transform(span.status.code, [0, 1, 2], ['Unset', 'Ok', 'Error'], '') AS StatusCode,
    span.status.message AS StatusMessage,
    arrayMap(e -> as_time(e.time_unix_nano), span.events) AS `Events.Timestamp`,
    arrayMap(e -> e.name, span.events) AS `Events.Name`,
    arrayMap(e -> as_map(e.attributes), span.events) AS `Events.Attributes`,
    arrayMap(l -> lower(hex(l.trace_id)), span.links) AS `Links.TraceId`,
    arrayMap(l -> lower(hex(l.span_id)), span.links) AS `Links.SpanId`,
    arrayMap(l -> l.trace_state, span.links) AS `Links.TraceState`,
    arrayMap(l -> as_map(l.attributes), span.links) AS `Links.Attributes`
FROM
(
    SELECT ResourceAttributes, scope_spans.scope AS scope, arrayJoin(scope_spans.spans) AS span
    FROM
    (
        SELECT as_map(one.resource.attributes) AS ResourceAttributes, arrayJoin(one.scope_spans) AS scope_spans
        FROM (SELECT arrayJoin(resource_spans) AS one FROM otlp_traces)
    )
);
