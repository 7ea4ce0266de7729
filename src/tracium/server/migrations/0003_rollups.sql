-- What a request is known by, for a day: one that is sent again is stored once.
CREATE TABLE IF NOT EXISTS tracium_received
(
    Key FixedString(16),
    At DateTime('UTC') DEFAULT now()
)
ENGINE = MergeTree
PARTITION BY toDate(At)
ORDER BY Key
TTL At + INTERVAL 25 HOUR
SETTINGS cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1,
         fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000,
         index_granularity = 256, ttl_only_drop_parts = 1;

-- The reader once more, with the keys of the requests, and with arrays of plain values, which it writes as JSON itself.
DROP VIEW IF EXISTS otlp_traces_to_tracium_received;
DROP VIEW IF EXISTS otlp_traces_to_otel_traces;
DROP TABLE IF EXISTS otlp_traces;
CREATE TABLE IF NOT EXISTS otlp_traces
(
    keys Array(String),
    resource_spans Array(Tuple(
        resource Tuple(attributes Array(Tuple(key String, value Tuple(
            string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
            double_value Nullable(Float64), bytes_value Nullable(String), array_value Tuple(values Array(Tuple(
                string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                double_value Nullable(Float64), bytes_value Nullable(String)))))))),
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
            double_value Nullable(Float64), bytes_value Nullable(String), array_value Tuple(values Array(Tuple(
                string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),
                double_value Nullable(Float64), bytes_value Nullable(String))))))),
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

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_traces_to_tracium_received TO tracium_received AS
SELECT arrayJoin(keys) AS Key, now() AS At FROM otlp_traces;

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_traces_to_otel_traces TO otel_traces AS
WITH
    -- A double as Go writes it: ClickHouse has the same digits, but no '+' in an exponent.
    (d -> multiIf(isFinite(d), replaceRegexpOne(toString(d), 'e([0-9])', 'e+\\1'),
                  isNaN(d), 'NaN', d > 0, 'Infinity', '-Infinity')) AS go_double,
    -- JSON as Go's encoding/json writes it, so that it can stand inside JavaScript.
    (s -> replaceAll(replaceAll(replaceAll(toJSONString(s), '\\/', '/'), '\u2028', '\\u2028'), '\u2029', '\\u2029')) AS json,
    -- Of control characters Go has the digits in lower case.
    (s -> if(match(s, '[\\x0b\\x0e\\x0f\\x1a-\\x1f]'),
             concat('"', arrayStringConcat(arrayMap(
                 part -> if(match(part, '^[\\x0b\\x0e\\x0f\\x1a-\\x1f]'), concat('\\u00', lower(hex(part))),
                            substring(json(part), 2, length(json(part)) - 2)),
                 extractAll(s, '[\\x00-\\x1f]|[^\\x00-\\x1f]+'))), '"'),
             json(s))) AS quoted,
    (v -> multiIf(isNotNull(v.string_value), quoted(assumeNotNull(v.string_value)),
                  isNotNull(v.int_value), toString(assumeNotNull(v.int_value)),
                  isNotNull(v.bool_value), toString(assumeNotNull(v.bool_value)),
                  isNotNull(v.double_value), go_double(assumeNotNull(v.double_value)),
                  v.bytes_value != '', concat('"', base64Encode(assumeNotNull(v.bytes_value)), '"'),
                  'null')) AS as_json,
    (v -> multiIf(isNotNull(v.string_value), assumeNotNull(v.string_value),
                  isNotNull(v.int_value), toString(assumeNotNull(v.int_value)),
                  isNotNull(v.bool_value), toString(assumeNotNull(v.bool_value)),
                  isNotNull(v.double_value), go_double(assumeNotNull(v.double_value)),
                  isNotNull(v.bytes_value), base64Encode(assumeNotNull(v.bytes_value)),
                  '')) AS plain_as_string,
    (v -> multiIf(isNotNull(v.string_value), assumeNotNull(v.string_value),
                  isNotNull(v.int_value), toString(assumeNotNull(v.int_value)),
                  isNotNull(v.bool_value), toString(assumeNotNull(v.bool_value)),
                  isNotNull(v.double_value), go_double(assumeNotNull(v.double_value)),
                  isNotNull(v.bytes_value), base64Encode(assumeNotNull(v.bytes_value)),
                  -- What JSON cannot say makes Go's text empty.
                  notEmpty(v.array_value.values) AND NOT arrayExists(e -> NOT isFinite(ifNull(e.double_value, 0)), v.array_value.values),
                  concat('[', arrayStringConcat(arrayMap(e -> as_json(e), v.array_value.values), ','), ']'),
                  '')) AS as_string,
    (attributes -> CAST(arrayMap(a -> (a.key, as_string(a.value)), attributes),
                        'Map(LowCardinality(String), String)')) AS as_map,
    (attributes -> CAST(arrayMap(a -> (a.key, plain_as_string(a.value)), attributes),
                        'Map(LowCardinality(String), String)')) AS plain_as_map,
    -- The last nanosecond that DateTime64(9) holds, in 2262.
    (nanos -> fromUnixTimestamp64Nano(toInt64(least(nanos, 9223372036854775807)), 'UTC')) AS as_time
SELECT
    as_time(`span.start_time_unix_nano`) AS Timestamp,
    as_time(`span.end_time_unix_nano`) AS EndTime,
    lower(hex(`span.trace_id`)) AS TraceId,
    lower(hex(`span.span_id`)) AS SpanId,
    if(`span.parent_span_id` = unhex('0000000000000000'), '', lower(hex(`span.parent_span_id`))) AS ParentSpanId,
    `span.trace_state` AS TraceState,
    `span.name` AS SpanName,
    transform(`span.kind`, [0, 1, 2, 3, 4, 5],
              ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'], '') AS SpanKind,
    ResourceAttributes['service.name'] AS ServiceName,
    ResourceAttributes,
    ScopeName,
    ScopeVersion,
    as_map(`span.attributes`) AS SpanAttributes,
    -- Where a clock was set back it is the two's complement, as the exporter writes it.
    toUInt64(toInt64(least(`span.end_time_unix_nano`, 9223372036854775807))
             - toInt64(least(`span.start_time_unix_nano`, 9223372036854775807))) AS Duration,
    transform(`span.status`.code, [0, 1, 2], ['Unset', 'Ok', 'Error'], '') AS StatusCode,
    `span.status`.message AS StatusMessage,
    arrayMap(e -> as_time(e.time_unix_nano), `span.events`) AS `Events.Timestamp`,
    arrayMap(e -> e.name, `span.events`) AS `Events.Name`,
    arrayMap(e -> plain_as_map(e.attributes), `span.events`) AS `Events.Attributes`,
    arrayMap(l -> if(l.trace_id = unhex('00000000000000000000000000000000'), '', lower(hex(l.trace_id))),
             `span.links`) AS `Links.TraceId`,
    arrayMap(l -> if(l.span_id = unhex('0000000000000000'), '', lower(hex(l.span_id))),
             `span.links`) AS `Links.SpanId`,
    arrayMap(l -> l.trace_state, `span.links`) AS `Links.TraceState`,
    arrayMap(l -> plain_as_map(l.attributes), `span.links`) AS `Links.Attributes`
FROM
(
    -- Unpacked into columns: the engine looks through the whole type of a tuple whenever a part of it is named.
    SELECT ResourceAttributes, ScopeName, ScopeVersion, untuple(arrayJoin(spans)) AS span
    FROM
    (
        SELECT
            ResourceAttributes,
            scope_spans.scope.name AS ScopeName,
            scope_spans.scope.version AS ScopeVersion,
            scope_spans.spans AS spans
        FROM
        (
            SELECT as_map(one.resource.attributes) AS ResourceAttributes, arrayJoin(one.scope_spans) AS scope_spans
            FROM (SELECT arrayJoin(resource_spans) AS one FROM otlp_traces)
        )
    )
);

-- What the pages ask often, as columns of the span; each key is looked up once.
ALTER TABLE otel_traces
    ADD COLUMN IF NOT EXISTS Environment LowCardinality(String) MATERIALIZED
        if(ResourceAttributes['deployment.environment.name'] != '',
           ResourceAttributes['deployment.environment.name'], ResourceAttributes['deployment.environment']) CODEC(ZSTD(1)),
    -- OpenInference and OpenLLMetry say in words of their own what a span is.
    MODIFY COLUMN Operation LowCardinality(String) MATERIALIZED
        multiIf(SpanAttributes['gen_ai.operation.name'] != '', SpanAttributes['gen_ai.operation.name'],
                SpanAttributes['openinference.span.kind'] != '',
                transform(SpanAttributes['openinference.span.kind'], ['LLM', 'EMBEDDING', 'AGENT', 'TOOL'],
                          ['chat', 'embeddings', 'invoke_agent', 'execute_tool'], ''),
                transform(SpanAttributes['llm.request.type'], ['chat', 'completion', 'embedding'],
                          ['chat', 'text_completion', 'embeddings'], '')) CODEC(ZSTD(1)),
    MODIFY COLUMN IsModelCall Bool MATERIALIZED
        IsRecorded
        OR (Operation IN ('chat', 'text_completion', 'generate_content', 'embeddings')
            AND SpanAttributes['tracium.usage.elsewhere'] != 'true'),
    MODIFY COLUMN IsRequest Bool MATERIALIZED
        (SpanKind IN ('Server', 'Consumer') OR ParentSpanId = '') AND NOT IsRecorded AND NOT IsSampledOut,
    MODIFY COLUMN Provider LowCardinality(String) MATERIALIZED
        multiIf(Operation = '' AND Model = '', '',
                SpanAttributes['gen_ai.provider.name'] != '', SpanAttributes['gen_ai.provider.name'],
                SpanAttributes['gen_ai.system'] != '', SpanAttributes['gen_ai.system'],
                SpanAttributes['llm.provider'] != '', SpanAttributes['llm.provider'],
                SpanAttributes['llm.system']) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS RequestModel LowCardinality(String) MATERIALIZED
        multiIf(SpanAttributes['gen_ai.request.model'] != '', SpanAttributes['gen_ai.request.model'],
                Operation = 'embeddings' AND SpanAttributes['embedding.model_name'] != '',
                SpanAttributes['embedding.model_name'],
                SpanAttributes['llm.model_name']) CODEC(ZSTD(1)),
    MODIFY COLUMN Model LowCardinality(String) MATERIALIZED
        if(SpanAttributes['gen_ai.response.model'] != '',
           SpanAttributes['gen_ai.response.model'], RequestModel) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ServerAddress LowCardinality(String) MATERIALIZED
        if(IsModelCall, SpanAttributes['server.address'], '') CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ServiceTier LowCardinality(String) MATERIALIZED
        multiIf(NOT IsModelCall, '',
                SpanAttributes['openai.response.service_tier'] != '', SpanAttributes['openai.response.service_tier'],
                SpanAttributes['gen_ai.openai.response.service_tier'] != '',
                SpanAttributes['gen_ai.openai.response.service_tier'],
                SpanAttributes['openai.request.service_tier'] != '', SpanAttributes['openai.request.service_tier'],
                SpanAttributes['gen_ai.openai.request.service_tier']) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS AgentName LowCardinality(String) MATERIALIZED SpanAttributes['gen_ai.agent.name'] CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS UserId String MATERIALIZED SpanAttributes['user.id'] CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS SessionId String MATERIALIZED
        if(SpanAttributes['session.id'] != '',
           SpanAttributes['session.id'], SpanAttributes['gen_ai.conversation.id']) CODEC(ZSTD(1)),
    -- No call has a trillion tokens: such a number is a mistake, and a sum of them would run over.
    MODIFY COLUMN InputTokens Nullable(UInt64) MATERIALIZED
        if(Operation = '' AND Model = '' AND NOT IsRecorded, NULL,
           nullIf(least(1000000000000, coalesce(toUInt64OrNull(SpanAttributes['gen_ai.usage.input_tokens']),
                    toUInt64OrNull(SpanAttributes['gen_ai.usage.prompt_tokens']),
                    toUInt64OrNull(SpanAttributes['llm.token_count.prompt']), 1000000000000)), 1000000000000)) CODEC(ZSTD(1)),
    MODIFY COLUMN OutputTokens Nullable(UInt64) MATERIALIZED
        if(Operation = '' AND Model = '' AND NOT IsRecorded, NULL,
           nullIf(least(1000000000000, coalesce(toUInt64OrNull(SpanAttributes['gen_ai.usage.output_tokens']),
                    toUInt64OrNull(SpanAttributes['gen_ai.usage.completion_tokens']),
                    toUInt64OrNull(SpanAttributes['llm.token_count.completion']), 1000000000000)), 1000000000000)) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS CacheReadTokens Nullable(UInt64) MATERIALIZED
        if(NOT IsModelCall, NULL,
           nullIf(least(1000000000000, coalesce(toUInt64OrNull(SpanAttributes['gen_ai.usage.cache_read.input_tokens']),
                    toUInt64OrNull(SpanAttributes['gen_ai.usage.cache_read_input_tokens']),
                    toUInt64OrNull(SpanAttributes['llm.token_count.prompt_details.cache_read']), 1000000000000)),
                  1000000000000)) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS CacheWriteTokens Nullable(UInt64) MATERIALIZED
        if(NOT IsModelCall, NULL,
           nullIf(least(1000000000000, coalesce(toUInt64OrNull(SpanAttributes['gen_ai.usage.cache_write.input_tokens']),
                    toUInt64OrNull(SpanAttributes['gen_ai.usage.cache_creation.input_tokens']),
                    toUInt64OrNull(SpanAttributes['gen_ai.usage.cache_creation_input_tokens']),
                    toUInt64OrNull(SpanAttributes['llm.token_count.prompt_details.cache_write']), 1000000000000)),
                  1000000000000)) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ReasoningTokens Nullable(UInt64) MATERIALIZED
        if(NOT IsModelCall, NULL,
           nullIf(least(1000000000000, coalesce(toUInt64OrNull(SpanAttributes['gen_ai.usage.reasoning.output_tokens']),
                    toUInt64OrNull(SpanAttributes['gen_ai.usage.reasoning_tokens']),
                    toUInt64OrNull(SpanAttributes['llm.token_count.completion_details.reasoning']), 1000000000000)),
                  1000000000000)) CODEC(ZSTD(1)),
    -- What else was used and may be billed, such as audio or images: by name, in order.
    ADD COLUMN IF NOT EXISTS OtherUnits LowCardinality(String) MATERIALIZED
        if(NOT IsModelCall, '', arrayStringConcat(arraySort(arrayDistinct(arrayMap(
            key -> replaceRegexpOne(key, '^(gen_ai|tracium)\\.usage\\.|^llm\\.token_count\\.', ''),
            -- By the keys first: they are told from others once for a block.
            mapKeys(mapFilter((key, value) -> toFloat64OrZero(value) != 0, mapFilter((key, value) ->
                (startsWith(key, 'gen_ai.usage.') OR startsWith(key, 'tracium.usage.') OR startsWith(key, 'llm.token_count.'))
                AND key NOT IN ('gen_ai.usage.input_tokens', 'gen_ai.usage.output_tokens', 'gen_ai.usage.prompt_tokens',
                                'gen_ai.usage.completion_tokens', 'gen_ai.usage.total_tokens', 'gen_ai.usage.cost',
                                'gen_ai.usage.cache_read.input_tokens', 'gen_ai.usage.cache_creation.input_tokens',
                                'gen_ai.usage.cache_write.input_tokens', 'gen_ai.usage.cache_read_input_tokens',
                                'gen_ai.usage.cache_creation_input_tokens', 'gen_ai.usage.reasoning.output_tokens',
                                'gen_ai.usage.reasoning_tokens', 'tracium.usage.id', 'tracium.usage.elsewhere',
                                'tracium.usage.unknown', 'tracium.usage.recorded', 'llm.token_count.prompt',
                                'llm.token_count.completion', 'llm.token_count.total',
                                'llm.token_count.prompt_details.cache_read',
                                'llm.token_count.prompt_details.cache_write',
                                'llm.token_count.completion_details.reasoning'),
                SpanAttributes)))))), ',')) CODEC(ZSTD(1)),
    -- Prices step up where the input of one call exceeds a number of tokens; these are all such numbers in use.
    ADD COLUMN IF NOT EXISTS InputClass UInt32 MATERIALIZED
        multiIf(ifNull(InputTokens, 0) <= 32000, 0, InputTokens <= 100000, 32000, InputTokens <= 128000, 100000,
                InputTokens <= 199999, 128000, InputTokens <= 200000, 199999, InputTokens <= 256000, 200000,
                InputTokens <= 272000, 256000, InputTokens <= 512000, 272000, InputTokens <= 524288, 512000,
                524288) CODEC(ZSTD(1)),
    -- tracium's SDK has said which of several spans of one call counts; nobody has for other senders.
    ADD COLUMN IF NOT EXISTS IsSettled Bool MATERIALIZED ResourceAttributes['telemetry.distro.name'] = 'tracium',
    -- How many spans this one stands for, by the threshold of consistent probability sampling; NULL: nobody knows.
    ADD COLUMN IF NOT EXISTS Weight Nullable(Float64) MATERIALIZED
        if(match(TraceState, '(^|,)\\s*ot=([^,]*;)?th:[0-9a-f]{1,14}(;|,|$)'),
           exp2(56) / (exp2(56) - toFloat64(reinterpretAsUInt64(reverse(unhex(concat('00', rightPad(
               extract(TraceState, 'ot=(?:[^,]*;)?th:([0-9a-f]{1,14})'), 14, '0'))))))),
           NULL) CODEC(ZSTD(1)),
    MODIFY SETTING non_replicated_deduplication_window = 1000,
        -- More parts at a time: each span is written again half as often, and what is read is hardly in more parts.
        merge_selector_base = 15,
        -- Column by column, a merge takes two thirds of the time.
        vertical_merge_algorithm_min_rows_to_activate = 1;

-- Requests, errors and latency: one row for 15 minutes (UTC) of a tenant's service.
CREATE TABLE IF NOT EXISTS tracium_requests_15m
(
    TenantId LowCardinality(String),
    Bucket DateTime('UTC') CODEC(Delta, ZSTD(1)),
    Environment LowCardinality(String),
    ServiceName LowCardinality(String),
    Spans SimpleAggregateFunction(sum, UInt64),
    SpanErrors SimpleAggregateFunction(sum, UInt64),
    Requests SimpleAggregateFunction(sum, UInt64),
    RequestErrors SimpleAggregateFunction(sum, UInt64),
    -- Requests, and their errors, with those that sampling left out: both of what was kept by chance alone.
    EstimatedRequests SimpleAggregateFunction(sum, Float64),
    EstimatedErrors SimpleAggregateFunction(sum, Float64),
    -- Requests that are there for their error's sake alone.
    KeptForError SimpleAggregateFunction(sum, UInt64),
    -- Distinct trace ids; exact up to 65,536.
    Traces AggregateFunction(uniq, String),
    -- Milliseconds, of requests and of model calls whose sender is tracium's; each quantile is right to 0.4 %.
    Latency AggregateFunction(quantilesBFloat16(0.5, 0.95, 0.99), Float64),
    CallLatency AggregateFunction(quantilesBFloat16(0.5, 0.95, 0.99), Float64),
    LastSeen SimpleAggregateFunction(max, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(Bucket)
ORDER BY (TenantId, Bucket, Environment, ServiceName)
SETTINGS cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1,
         fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

-- Model calls: one row for 15 minutes (UTC) of what is priced alike.
CREATE TABLE IF NOT EXISTS tracium_calls_15m
(
    TenantId LowCardinality(String),
    Bucket DateTime('UTC') CODEC(Delta, ZSTD(1)),
    Environment LowCardinality(String),
    ServiceName LowCardinality(String),
    Provider LowCardinality(String),
    Model LowCardinality(String),
    RequestModel LowCardinality(String),
    ServerAddress LowCardinality(String),
    Operation LowCardinality(String),
    ServiceTier LowCardinality(String),
    InputClass UInt32,
    OtherUnits LowCardinality(String),
    -- Whether each of the calls used input (1), output (2) or both (3): a price may be missing for one of them.
    Units UInt8,
    Calls SimpleAggregateFunction(sum, UInt64),
    CallErrors SimpleAggregateFunction(sum, UInt64),
    InputTokens SimpleAggregateFunction(sum, UInt64),
    OutputTokens SimpleAggregateFunction(sum, UInt64),
    CacheReadTokens SimpleAggregateFunction(sum, UInt64),
    CacheWriteTokens SimpleAggregateFunction(sum, UInt64),
    ReasoningTokens SimpleAggregateFunction(sum, UInt64),
    -- Input that was neither read from a cache nor written to one.
    PlainInputTokens SimpleAggregateFunction(sum, UInt64),
    -- Calls that said, and that did not: a sum with unknown parts is a lower bound.
    KnownInput SimpleAggregateFunction(sum, UInt64),
    KnownOutput SimpleAggregateFunction(sum, UInt64),
    UnknownInput SimpleAggregateFunction(sum, UInt64),
    UnknownOutput SimpleAggregateFunction(sum, UInt64),
    UnknownUsage SimpleAggregateFunction(sum, UInt64),
    -- Read only where models are told apart: that of a service is with its requests, in fewer rows.
    Latency AggregateFunction(quantilesBFloat16(0.5, 0.95, 0.99), Float64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(Bucket)
ORDER BY (TenantId, Bucket, Environment, ServiceName, Provider, Model, RequestModel, ServerAddress, Operation,
          ServiceTier, InputClass, OtherUnits, Units)
SETTINGS cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1,
         fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

-- Model calls of senders that are not tracium's: which of nested ones counts is known when all have arrived, so each is
-- kept. The keys are hashes: nobody is identified by them.
CREATE TABLE IF NOT EXISTS tracium_calls
(
    TenantId LowCardinality(String),
    EndTime DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    TraceKey UInt64,
    SpanKey UInt64,
    ParentKey UInt64,
    Environment LowCardinality(String),
    ServiceName LowCardinality(String),
    Provider LowCardinality(String),
    Model LowCardinality(String),
    RequestModel LowCardinality(String),
    ServerAddress LowCardinality(String),
    Operation LowCardinality(String),
    ServiceTier LowCardinality(String),
    InputClass UInt32,
    OtherUnits LowCardinality(String),
    IsError Bool,
    IsRecorded Bool,
    IsPartlyUnknown Bool,
    InputTokens Nullable(UInt64),
    OutputTokens Nullable(UInt64),
    CacheReadTokens Nullable(UInt64),
    CacheWriteTokens Nullable(UInt64),
    ReasoningTokens Nullable(UInt64),
    Milliseconds Float64
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(EndTime)
ORDER BY (TenantId, EndTime, TraceKey, SpanKey)
SETTINGS cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1,
         fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

-- Every span on its way to the roll-ups: rebuilding them is one INSERT here.
CREATE TABLE IF NOT EXISTS tracium_spans
(
    TenantId LowCardinality(String),
    EndTime DateTime64(9, 'UTC'),
    TraceId String,
    SpanId String,
    ParentSpanId String,
    Environment LowCardinality(String),
    ServiceName LowCardinality(String),
    Provider LowCardinality(String),
    Model LowCardinality(String),
    RequestModel LowCardinality(String),
    ServerAddress LowCardinality(String),
    Operation LowCardinality(String),
    ServiceTier LowCardinality(String),
    InputClass UInt32,
    OtherUnits LowCardinality(String),
    IsError Bool,
    IsRequest Bool,
    IsModelCall Bool,
    IsRecorded Bool,
    IsSampledOut Bool,
    IsPartlyUnknown Bool,
    IsSettled Bool,
    IsKeptForError Bool,
    Weight Nullable(Float64),
    InputTokens Nullable(UInt64),
    OutputTokens Nullable(UInt64),
    CacheReadTokens Nullable(UInt64),
    CacheWriteTokens Nullable(UInt64),
    ReasoningTokens Nullable(UInt64),
    Milliseconds Float64
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS tracium_spans_to_requests_15m TO tracium_requests_15m AS
SELECT
    TenantId,
    toStartOfFifteenMinutes(toDateTime(EndTime, 'UTC')) AS Bucket,
    Environment,
    ServiceName,
    countIf(NOT IsRecorded) AS Spans,
    countIf(IsError AND NOT IsRecorded) AS SpanErrors,
    countIf(IsRequest) AS Requests,
    countIf(IsRequest AND IsError) AS RequestErrors,
    sumIf(ifNull(Weight, 1), IsRequest AND NOT IsKeptForError) AS EstimatedRequests,
    sumIf(ifNull(Weight, 1), IsRequest AND IsError AND NOT IsKeptForError) AS EstimatedErrors,
    countIf(IsRequest AND IsKeptForError) AS KeptForError,
    uniqStateIf(TraceId, NOT IsRecorded AND NOT IsSampledOut) AS Traces,
    quantilesBFloat16StateIf(0.5, 0.95, 0.99)(Milliseconds, IsRequest AND NOT IsKeptForError) AS Latency,
    quantilesBFloat16StateIf(0.5, 0.95, 0.99)(Milliseconds, IsModelCall AND IsSettled AND NOT IsRecorded) AS CallLatency,
    max(EndTime) AS LastSeen
FROM tracium_spans
GROUP BY TenantId, Bucket, Environment, ServiceName;

CREATE MATERIALIZED VIEW IF NOT EXISTS tracium_spans_to_calls_15m TO tracium_calls_15m AS
WITH
    (InputTokens IS NULL OR IsPartlyUnknown) AND NOT IsRecorded AS no_input,
    (OutputTokens IS NULL OR IsPartlyUnknown) AND Operation != 'embeddings' AND NOT IsRecorded AS no_output
SELECT
    TenantId,
    toStartOfFifteenMinutes(toDateTime(EndTime, 'UTC')) AS Bucket,
    Environment,
    ServiceName,
    Provider,
    Model,
    RequestModel,
    ServerAddress,
    Operation,
    ServiceTier,
    InputClass,
    OtherUnits,
    toUInt8((ifNull(InputTokens, 0) > 0 OR ifNull(CacheReadTokens, 0) > 0 OR ifNull(CacheWriteTokens, 0) > 0)
            + (ifNull(OutputTokens, 0) > 0) * 2) AS Units,
    count() AS Calls,
    countIf(IsError) AS CallErrors,
    sum(ifNull(InputTokens, 0)) AS InputTokens,
    sum(ifNull(OutputTokens, 0)) AS OutputTokens,
    sum(ifNull(CacheReadTokens, 0)) AS CacheReadTokens,
    sum(ifNull(CacheWriteTokens, 0)) AS CacheWriteTokens,
    sum(ifNull(ReasoningTokens, 0)) AS ReasoningTokens,
    sum(greatest(toInt64(ifNull(InputTokens, 0)) - toInt64(ifNull(CacheReadTokens, 0))
                 - toInt64(ifNull(CacheWriteTokens, 0)), 0)) AS PlainInputTokens,
    countIf(InputTokens IS NOT NULL) AS KnownInput,
    countIf(OutputTokens IS NOT NULL) AS KnownOutput,
    countIf(no_input) AS UnknownInput,
    countIf(no_output) AS UnknownOutput,
    countIf(no_input OR no_output) AS UnknownUsage,
    quantilesBFloat16StateIf(0.5, 0.95, 0.99)(Milliseconds, NOT IsRecorded) AS Latency
FROM tracium_spans
WHERE IsModelCall AND IsSettled
GROUP BY TenantId, Bucket, Environment, ServiceName, Provider, Model, RequestModel, ServerAddress, Operation,
         ServiceTier, InputClass, OtherUnits, Units
-- A name inside a sum is the column's, not the sum's.
SETTINGS prefer_column_name_to_alias = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS tracium_spans_to_calls TO tracium_calls AS
SELECT
    * EXCEPT (TraceId, SpanId, ParentSpanId, IsRequest, IsModelCall, IsSampledOut, IsSettled, IsKeptForError, Weight),
    sipHash64(TraceId) AS TraceKey,
    sipHash64(SpanId) AS SpanKey,
    if(ParentSpanId = '', 0, sipHash64(ParentSpanId)) AS ParentKey
FROM tracium_spans
WHERE IsModelCall AND NOT IsSettled;

CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_to_tracium_spans TO tracium_spans AS
SELECT
    TenantId, EndTime, TraceId, SpanId, ParentSpanId, Environment, ServiceName, Provider, Model, RequestModel,
    ServerAddress, Operation, ServiceTier, InputClass, OtherUnits, IsError, IsRequest, IsModelCall, IsRecorded,
    IsSampledOut, IsPartlyUnknown, IsSettled, SpanAttributes['tracium.sampled.reason'] = 'error' AS IsKeptForError,
    Weight, InputTokens, OutputTokens, CacheReadTokens, CacheWriteTokens, ReasoningTokens,
    greatest(toInt64(Duration), 0) / 1e6 AS Milliseconds
FROM otel_traces;

-- What the store of an earlier release holds; where this was interrupted, it begins anew.
TRUNCATE TABLE tracium_requests_15m;
TRUNCATE TABLE tracium_calls_15m;
TRUNCATE TABLE tracium_calls;
INSERT INTO tracium_spans
SELECT
    TenantId, EndTime, TraceId, SpanId, ParentSpanId, Environment, ServiceName, Provider, Model, RequestModel,
    ServerAddress, Operation, ServiceTier, InputClass, OtherUnits, IsError, IsRequest, IsModelCall, IsRecorded,
    IsSampledOut, IsPartlyUnknown, IsSettled, SpanAttributes['tracium.sampled.reason'] = 'error' AS IsKeptForError,
    Weight, InputTokens, OutputTokens, CacheReadTokens, CacheWriteTokens, ReasoningTokens,
    greatest(toInt64(Duration), 0) / 1e6 AS Milliseconds
FROM otel_traces
LIMIT 1 BY TenantId, TraceId, SpanId;
