-- What an instrumentation cannot say but tracium can: the usage is told by another span, was recorded by hand, or is all
-- that is left of a trace that was sampled out. Such spans are no requests, and those told elsewhere are no calls.
ALTER TABLE otel_traces
    ADD COLUMN IF NOT EXISTS IsRecorded Bool MATERIALIZED SpanAttributes['tracium.usage.recorded'] = 'true',
    ADD COLUMN IF NOT EXISTS IsSampledOut Bool MATERIALIZED SpanAttributes['tracium.sampled_out'] = 'true',
    ADD COLUMN IF NOT EXISTS IsPartlyUnknown Bool MATERIALIZED SpanAttributes['tracium.usage.unknown'] = 'true',
    MODIFY COLUMN IsRequest Bool MATERIALIZED
        (SpanKind IN ('Server', 'Consumer') OR ParentSpanId = '')
        AND SpanAttributes['tracium.usage.recorded'] != 'true'
        AND SpanAttributes['tracium.sampled_out'] != 'true',
    MODIFY COLUMN IsModelCall Bool MATERIALIZED
        SpanAttributes['tracium.usage.recorded'] = 'true'
        OR (SpanAttributes['gen_ai.operation.name'] IN ('chat', 'text_completion', 'generate_content', 'embeddings')
            AND SpanAttributes['tracium.usage.elsewhere'] != 'true');
