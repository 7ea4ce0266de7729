-- What errors are grouped by; of spans without an error it costs nothing.
ALTER TABLE otel_traces
    ADD COLUMN IF NOT EXISTS ErrorType LowCardinality(String) MATERIALIZED
        multiIf(StatusCode != 'Error', '',
                SpanAttributes['error.type'] != '', SpanAttributes['error.type'],
                Events.Attributes[indexOf(Events.Name, 'exception')]['exception.type']) CODEC(ZSTD(1)),
    ADD INDEX IF NOT EXISTS idx_session_id SessionId TYPE bloom_filter(0.01) GRANULARITY 1;
