"""Every attribute, baggage and resource key that tracium reads or writes, once.

The names are OpenTelemetry's own wherever it has one; a key under ``tracium.`` is ours alone.
"""

from __future__ import annotations

from typing import Final

# The tenant: the baggage key in the context and the attribute on spans, logs and metrics.
TENANT_ID: Final = "tenant.id"
# The tenant's user and session: https://opentelemetry.io/docs/specs/semconv/registry/attributes/user/ and …/session/
USER_ID: Final = "user.id"
SESSION_ID: Final = "session.id"
# The baggage key of what proves the tenant.
TENANT_SIGNATURE: Final = "tracium.tenant.signature"
# true on the span of a request in which a second tenant was set.
TENANT_MIXED: Final = "tracium.tenant.mixed"
# true on the one point of each metric that holds what tenants did beyond TRACIUM_METRIC_TENANTS; it has no tenant.
TENANT_OVERFLOW: Final = "tracium.tenant.overflow"
# A counter of tenants that arrived and were not believed, and its attribute.
REJECTED: Final = "tracium.tenant.rejected"
REJECTION_REASON: Final = "tracium.tenant.rejected.reason"

# Resource: https://opentelemetry.io/docs/specs/semconv/resource/
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
DEPLOYMENT_ENVIRONMENT: Final = "deployment.environment.name"
DISTRO_NAME: Final = "telemetry.distro.name"
DISTRO_VERSION: Final = "telemetry.distro.version"

# Messaging: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_DESTINATION: Final = "messaging.destination.name"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"
MESSAGING_OPERATION_DEPRECATED: Final = "messaging.operation"
MESSAGING_BATCH_COUNT: Final = "messaging.batch.message_count"

# GenAI: https://opentelemetry.io/docs/specs/semconv/gen-ai/
GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_REQUEST_STREAM: Final = "gen_ai.request.stream"
GEN_AI_RESPONSE_ID: Final = "gen_ai.response.id"
GEN_AI_AGENT_NAME: Final = "gen_ai.agent.name"
GEN_AI_AGENT_VERSION: Final = "gen_ai.agent.version"
GEN_AI_TOOL_NAME: Final = "gen_ai.tool.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_CONVERSATION_ID: Final = "gen_ai.conversation.id"
GEN_AI_AGENT_ID: Final = "gen_ai.agent.id"
GEN_AI_SYSTEM: Final = "gen_ai.system"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_CACHE_READ_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_CACHE_CREATION_INPUT_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
GEN_AI_REASONING_OUTPUT_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
GEN_AI_INPUT_MESSAGES: Final = "gen_ai.input.messages"
GEN_AI_OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
GEN_AI_TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
GEN_AI_TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
GEN_AI_TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
GEN_AI_TOOL_RESULT: Final = "gen_ai.tool.call.result"
GEN_AI_DATA_SOURCE: Final = "gen_ai.data_source.id"
GEN_AI_RETRIEVAL_QUERY: Final = "gen_ai.retrieval.query.text"
GEN_AI_RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"

# true on a span or log record whose captured content was cut to the limit, or dropped because its redaction failed.
CONTENT_CUT: Final = "tracium.content.cut"
CONTENT_DROPPED: Final = "tracium.content.dropped"
# What OpenInference's and OpenLLMetry's spans say of their kind.
OPENINFERENCE_KIND: Final = "openinference.span.kind"
TRACELOOP_REQUEST: Final = "llm.request.type"
# How OpenInference's name the provider and the model.
OPENINFERENCE_PROVIDER: Final = "llm.provider"
OPENINFERENCE_SYSTEM: Final = "llm.system"
OPENINFERENCE_MODEL: Final = "llm.model_name"
OPENINFERENCE_EMBEDDING_MODEL: Final = "embedding.model_name"
# true on the span of a model call whose usage another span tells, or nobody knows (or not all of it).
USAGE_ELSEWHERE: Final = "tracium.usage.elsewhere"
USAGE_UNKNOWN: Final = "tracium.usage.unknown"
# true on a span that nobody ended: its stream was thrown away, or was open at the end of the process.
ABANDONED: Final = "tracium.abandoned"

# Errors: https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
ERROR_TYPE: Final = "error.type"

# Logs: https://opentelemetry.io/docs/specs/semconv/registry/attributes/code/, …/exception/, …/otel/ and …/event/
CODE_FILE_PATH: Final = "code.file.path"
CODE_FUNCTION_NAME: Final = "code.function.name"
CODE_LINE_NUMBER: Final = "code.line.number"
CODE_STACKTRACE: Final = "code.stacktrace"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
EVENT_NAME: Final = "otel.event.name"
EVENT_NAME_DEPRECATED: Final = "event.name"

# Usage that `tracium.record_usage` recorded: the mark, the caller's id, and what further units begin with.
USAGE_RECORDED: Final = "tracium.usage.recorded"
USAGE_ID: Final = "tracium.usage.id"
USAGE_UNIT_PREFIX: Final = "tracium.usage."

# true on a model call of a trace that was sampled out: it is sent for its usage alone, and is no part of a trace.
SAMPLED_OUT: Final = "tracium.sampled_out"
# Why a span was exported although its trace was sampled out: "error".
SAMPLED_REASON: Final = "tracium.sampled.reason"

# What OpenTelemetry has no word for on the spans of agents: what a step was given and gave, its own name beside the
# model's, how it ended in the app's words, what a run is grouped by, and the trace id that it was to have.
AGENT_INPUT: Final = "tracium.input"
AGENT_OUTPUT: Final = "tracium.output"
STEP_NAME: Final = "tracium.step.name"
STATUS: Final = "tracium.status"
SUMMARY: Final = "tracium.summary"
TAGS: Final = "tracium.tags"
METADATA_PREFIX: Final = "tracium.metadata."
# Metadata beyond the number of attributes that one span gives to it, as one JSON object.
MORE_METADATA: Final = "tracium.more_metadata"
WORKSPACE_ID: Final = "tracium.workspace.id"
WANTED_TRACE_ID: Final = "tracium.trace.id"
