"""The tenant onto the telemetry."""

from tracium.signals.logs import TenantLogRecordProcessor
from tracium.signals.spans import TenantSpanProcessor, tenant_span_processor

__all__ = ["TenantLogRecordProcessor", "TenantSpanProcessor", "tenant_span_processor"]
