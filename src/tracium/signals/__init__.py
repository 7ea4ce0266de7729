"""The tenant onto the telemetry."""

from tracium.signals.spans import TenantSpanProcessor, tenant_span_processor

__all__ = ["TenantSpanProcessor", "tenant_span_processor"]
