"""Where each public name of the older SDK is found, and what it is called today. Nothing is imported before it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

from tracium.startup.deprecation import say_older

if TYPE_CHECKING:
    from collections.abc import Mapping


class OlderName(NamedTuple):
    """One name.

    Attributes:
        module: The module that has it.
        attribute: Its name there.
        present: What to use today, in words; None where nothing else is better.
    """

    module: str
    attribute: str
    present: str | None = None


def _validator(name: str, present: str) -> OlderName:
    return OlderName("tracium.legacy.validation", name, present)


_START = "tracium.start_trace(), which checks what it is given"
_STEP = "the step's own method, which checks what it is given"
_RETRIES = "a library for retries, such as stamina or tenacity"

OLDER_NAMES: Final[Mapping[str, OlderName]] = {
    "AgentTraceHandle": OlderName("tracium.agents", "AgentTrace", "tracium.AgentTrace"),
    "AgentTraceManager": OlderName("tracium.legacy.manager", "AgentTraceManager", "tracium.start_trace()"),
    "ContextThread": OlderName(
        "tracium.legacy.threads",
        "ContextThread",
        "threading.Thread, which takes the context along under tracium.trace()",
    ),
    "RetryConfig": OlderName("tracium.legacy.retry", "RetryConfig", _RETRIES),
    "TraciumClient": OlderName(
        "tracium.startup.client", "TraciumClient", "tracium.init() and the functions of tracium"
    ),
    "TraciumClientConfig": OlderName(
        "tracium.startup.client_config", "TraciumClientConfig", "tracium.init(endpoint=…)"
    ),
    "__version__": OlderName("tracium.legacy.version", "__version__"),
    "configure_logging": OlderName(
        "tracium.legacy.logs", "configure_logging", "Python's logging, whose logger 'tracium' says what there is to say"
    ),
    "current_trace": OlderName("tracium.agents", "current_trace"),
    "get_client": OlderName("tracium.startup.client", "get_client", "the functions of tracium"),
    "get_current_trace_context": OlderName(
        "tracium.legacy.trace_context", "get_current_trace_context", "tracium.queues.inject()"
    ),
    "get_logger": OlderName("tracium.legacy.logs", "get_logger", "logging.getLogger('tracium')"),
    "get_queue_stats": OlderName("tracium.startup.client", "get_queue_stats", "tracium.report()"),
    "redact_sensitive_data": OlderName(
        "tracium.legacy.redaction", "redact_sensitive_data", "tracium.init(redact=…) for what is captured"
    ),
    "retry_with_backoff": OlderName("tracium.legacy.retry", "retry_with_backoff", _RETRIES),
    "run_in_thread": OlderName(
        "tracium.legacy.threads", "run_in_thread", "threading.Thread(target=tracium.carry(function)).start()"
    ),
    "span": OlderName("tracium.agents", "span"),
    "validate_agent_name": _validator("validate_agent_name", _START),
    "validate_api_key": _validator("validate_api_key", "tracium.init(), which checks it"),
    "validate_error_message": _validator("validate_error_message", "run.mark_failed(), which takes any text"),
    "validate_metadata": _validator("validate_metadata", _START),
    "validate_name": _validator("validate_name", _STEP),
    "validate_span_id": _validator("validate_span_id", _STEP),
    "validate_span_type": _validator("validate_span_type", _STEP),
    "validate_tags": _validator("validate_tags", _START),
    "validate_trace_id": _validator("validate_trace_id", _START),
    "with_context": OlderName("tracium.legacy.threads", "with_context", "tracium.carry()"),
    "with_trace_context": OlderName("tracium.legacy.trace_context", "with_trace_context", "tracium.queues.message()"),
    "wrap_wsgi_app": OlderName(
        "tracium.legacy.wsgi", "wrap_wsgi_app", "tracium.trace(), or OpenTelemetryMiddleware for plain WSGI apps"
    ),
}
"""The names of the older SDK that `tracium` itself does not have any more."""


def older(name: str) -> object:
    """What `tracium.{name}` is, with a `DeprecationWarning` where there is something better today.

    Raises:
        AttributeError: The older SDK had no such name.
    """
    found = OLDER_NAMES.get(name)
    if found is None:
        raise AttributeError(f"module 'tracium' has no attribute {name!r}", name=name)
    value = getattr(import_module(found.module), found.attribute)
    if found.present is not None:
        say_older(f"tracium.{name} is of tracium's older SDK; today use {found.present}.")
    return value
