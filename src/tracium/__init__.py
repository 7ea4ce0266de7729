"""tracium: OpenTelemetry for Python in which the tenant is a first-class part of the context."""

from importlib import import_module
from typing import TYPE_CHECKING

from tracium.agents import (
    AgentSpan,
    AgentTrace,
    agent_span,
    agent_trace,
    current_trace,
    span,
    start_trace,
)
from tracium.exceptions import (
    AgentError,
    IdentityTypeError,
    IdentityValueError,
    MissingExtraError,
    RemovedError,
    SettingError,
    StoreError,
    TenantTypeError,
    TenantValueError,
    TraciumError,
)
from tracium.startup import aflush, ashutdown, flush, init, report, shutdown, trace
from tracium.tenancy import (
    carry,
    get_current_session,
    get_current_tenant,
    get_current_user,
    session,
    set_session,
    set_tenant,
    set_user,
    tenant,
    user,
)

if TYPE_CHECKING:
    from tracium import queues
    from tracium.signals.genai.redaction import redact_text
    from tracium.signals.log_filter import TenantLogFilter
    from tracium.signals.usage_record import record_usage

__all__ = [
    "AgentError",
    "AgentSpan",
    "AgentTrace",
    "IdentityTypeError",
    "IdentityValueError",
    "MissingExtraError",
    "RemovedError",
    "SettingError",
    "StoreError",
    "TenantLogFilter",
    "TenantTypeError",
    "TenantValueError",
    "TraciumError",
    "aflush",
    "agent_span",
    "agent_trace",
    "ashutdown",
    "carry",
    "current_trace",
    "flush",
    "get_current_session",
    "get_current_tenant",
    "get_current_user",
    "init",
    "queues",
    "record_usage",
    "redact_text",
    "report",
    "session",
    "set_session",
    "set_tenant",
    "set_user",
    "shutdown",
    "span",
    "start_trace",
    "tenant",
    "trace",
    "user",
]

# What is imported when it is first asked for: it loads the SDK, or reads OTEL_PROPAGATORS, which an app may still set.
_LAZY = {
    "TenantLogFilter": "tracium.signals.log_filter",
    "record_usage": "tracium.signals.usage_record",
    "redact_text": "tracium.signals.genai.redaction",
}


def __getattr__(name: str) -> object:
    if name == "queues":
        return import_module("tracium.queues")
    if name in _LAZY:
        value: object = getattr(import_module(_LAZY[name]), name)
    else:
        value = import_module("tracium.legacy.names").older(name)
    # It is found at once the next time; what is said of an older name is said once.
    globals()[name] = value
    return value
