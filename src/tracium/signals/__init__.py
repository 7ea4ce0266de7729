"""The tenant onto the telemetry. What needs the SDK is loaded when it is asked for: a log filter works without one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tracium.signals.logs import TenantLogRecordProcessor
    from tracium.signals.metrics import TenantMeterProvider
    from tracium.signals.spans import TenantSpanProcessor, tenant_span_processor

__all__ = ["TenantLogRecordProcessor", "TenantMeterProvider", "TenantSpanProcessor", "tenant_span_processor"]

_MODULES: Final = {
    "TenantLogRecordProcessor": "tracium.signals.logs",
    "TenantMeterProvider": "tracium.signals.metrics",
    "TenantSpanProcessor": "tracium.signals.spans",
    "tenant_span_processor": "tracium.signals.spans",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
