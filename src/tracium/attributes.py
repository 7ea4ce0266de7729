"""Every attribute, baggage and resource key that tracium reads or writes, once.

The names are OpenTelemetry's own wherever it has one; a key under ``tracium.`` is ours alone.
"""

from __future__ import annotations

from typing import Final

# The tenant: the baggage key in the context and the attribute on spans, logs and metrics.
TENANT_ID: Final = "tenant.id"
# The baggage key of what proves the tenant.
TENANT_SIGNATURE: Final = "tracium.tenant.signature"
# true on the span of a request in which a second tenant was set.
TENANT_MIXED: Final = "tracium.tenant.mixed"
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
GEN_AI_AGENT_NAME: Final = "gen_ai.agent.name"
GEN_AI_AGENT_VERSION: Final = "gen_ai.agent.version"
GEN_AI_TOOL_NAME: Final = "gen_ai.tool.name"

# Errors: https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
ERROR_TYPE: Final = "error.type"
