"""tracium: OpenTelemetry for Python in which the tenant is a first-class part of the context."""

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
    "report",
    "set_tenant",
    "shutdown",
    "start_trace",
    "tenant",
    "trace",
]
