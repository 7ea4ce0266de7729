"""tracium: OpenTelemetry for Python in which the tenant is a first-class part of the context."""

from importlib import import_module
from typing import TYPE_CHECKING

from tracium.agents import AgentSpan, AgentTrace, agent_span, agent_trace, start_trace
from tracium.exceptions import (
    MissingExtraError,
    SettingError,
    StoreError,
    TenantTypeError,
    TenantValueError,
    TraciumError,
)
from tracium.startup import aflush, ashutdown, flush, init, report, shutdown, trace
from tracium.tenancy import carry, get_current_tenant, set_tenant, tenant

if TYPE_CHECKING:
    from tracium import queues

__all__ = [
    "AgentSpan",
    "AgentTrace",
    "MissingExtraError",
    "SettingError",
    "StoreError",
    "TenantTypeError",
    "TenantValueError",
    "TraciumError",
    "aflush",
    "agent_span",
    "agent_trace",
    "ashutdown",
    "carry",
    "flush",
    "get_current_tenant",
    "init",
    "queues",
    "report",
    "set_tenant",
    "shutdown",
    "start_trace",
    "tenant",
    "trace",
]


def __getattr__(name: str) -> object:
    # It reads OTEL_PROPAGATORS when it is imported, which an app may still set after this import.
    if name == "queues":
        return import_module("tracium.queues")
    raise AttributeError(f"module 'tracium' has no attribute {name!r}")
