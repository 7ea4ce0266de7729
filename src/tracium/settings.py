"""Every option of tracium and every environment variable that it reads, resolved once into one frozen object."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tracium import values
from tracium.destination import Resolution

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracium.destination import Destination

DEFAULT_FLUSH_TIMEOUT: Final = 5.0
"""Seconds that the end of a process waits for the last spans to be sent."""

DEFAULT_METRIC_TENANTS: Final = 1000
"""How many tenants the metrics of one process tell apart."""

DEFAULT_CONTENT_LIMIT: Final = 32_768
"""Characters of one captured text; the rest is cut."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user configured, by argument, else by environment, else by default.

    Attributes:
        api_key: Key of the Tracium backend.
        default_version: Version of the user's app: `service.version`.
        default_tenant: Tenant of telemetry that has none.
        service_name: `service.name`.
        environment: `deployment.environment.name`.
        flush_timeout: Seconds that `flush`, `shutdown` and the end of the process wait at most.
        destination: Where spans go, and whether with one request for each tenant.
        wanted: Whether an endpoint of tracium's or a key was set: then a provider that exports elsewhere exports here too.
        disabled: `OTEL_SDK_DISABLED`.
        propagation_key: Keys that prove tenants between services, with commas between them: the first signs, all verify.
        inside_hosts: Hosts, endings of hosts and networks where the tenant may go with requests, with commas between them.
        trusted_sources: Networks whose requests are believed without a signature, with commas between them.
        proven_brokers: Whether messages need a signature too.
        logs: Whether Python's `logging` goes out.
        metrics: Whether metrics go out.
        tenant_metrics: Patterns of the instruments whose points carry the tenant.
        metric_tenants: How many tenants the metrics of this process tell apart.
        tenant_attributes: Names besides `tenant.id` under which the tenant is written.
        default_agent_name: Name of agents that are given none.
        default_model_id: Model of agents that are given none.
        default_tags: Tags of every agent's run.
        default_metadata: Metadata of every agent's run.
        workspace_id: Workspace of agents' runs.
        capture_content: Whose prompts and answers are captured; None if nobody said.
        redact: By what captured text is redacted: the built-in patterns (True), nothing (False), or a function.
        content_limit: Characters of one captured text.
        sample: Patterns of tenants and the share of their traces that is exported; empty for all.
        sample_errors: Whether traces with an error are exported whatever their share.
        without: Entry points of instrumentors that are not applied, besides those of
            OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: what older switches mean.
    """

    api_key: str | None = field(repr=False)
    default_version: str | None
    default_tenant: str | None
    service_name: str | None
    environment: str | None
    flush_timeout: float
    destination: Destination
    wanted: bool
    disabled: bool
    propagation_key: str | None = field(repr=False)
    inside_hosts: str | None
    trusted_sources: str | None
    proven_brokers: bool
    logs: bool
    metrics: bool
    tenant_metrics: tuple[str, ...]
    metric_tenants: int
    tenant_attributes: tuple[str, ...]
    default_agent_name: str | None
    default_model_id: str | None
    default_tags: tuple[str, ...]
    default_metadata: Mapping[str, Any]
    workspace_id: str | None
    capture_content: bool | Mapping[str, bool] | Callable[[str | None], bool] | None
    redact: bool | Callable[[str], str]
    content_limit: int
    sample: tuple[tuple[str, float], ...]
    sample_errors: bool
    without: tuple[str, ...]


_OLDER_ENDPOINT: Final = "TRACIUM_BASE_URL"

# option: (its environment variables, the first that is set counts)
VARIABLES: Final[dict[str, tuple[str, ...]]] = {
    "api_key": ("TRACIUM_API_KEY",),
    "capture_content": ("TRACIUM_CAPTURE_CONTENT",),
    "content_limit": ("TRACIUM_CONTENT_LIMIT",),
    "default_agent_name": ("TRACIUM_DEFAULT_AGENT_NAME",),
    "default_metadata": ("TRACIUM_DEFAULT_METADATA",),
    "default_model_id": ("TRACIUM_DEFAULT_MODEL_ID",),
    "default_tags": ("TRACIUM_DEFAULT_TAGS",),
    "default_tenant": ("TRACIUM_DEFAULT_TENANT",),
    "default_version": ("TRACIUM_DEFAULT_VERSION",),
    "endpoint": ("TRACIUM_ENDPOINT", _OLDER_ENDPOINT),
    "environment": ("TRACIUM_ENVIRONMENT",),
    "flush_timeout": ("TRACIUM_FLUSH_TIMEOUT",),
    "inside_hosts": ("TRACIUM_INSIDE_HOSTS",),
    "logs": ("TRACIUM_LOGS",),
    "metric_tenants": ("TRACIUM_METRIC_TENANTS",),
    "metrics": ("TRACIUM_METRICS",),
    "propagation_key": ("TRACIUM_PROPAGATION_KEY",),
    "protocol": ("TRACIUM_PROTOCOL",),
    "proven_brokers": ("TRACIUM_PROVEN_BROKERS",),
    "redact": ("TRACIUM_REDACT",),
    "sample": ("TRACIUM_SAMPLE",),
    "sample_errors": ("TRACIUM_SAMPLE_ERRORS",),
    "service_name": ("TRACIUM_SERVICE_NAME",),
    "split_by_tenant": ("TRACIUM_SPLIT_BY_TENANT",),
    "tenant_attributes": ("TRACIUM_TENANT_ATTRIBUTES",),
    "tenant_metrics": ("TRACIUM_TENANT_METRICS",),
    "trusted_sources": ("TRACIUM_TRUSTED_SOURCES",),
    "workspace_id": ("TRACIUM_WORKSPACE_ID",),
}


def resolve(given: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    """Resolve the arguments of `init` and `trace` and the environment into one `Settings`.

    Raises:
        SettingError: A value that is not allowed; the message names the setting, the value and what is.
    """
    env = os.environ if environ is None else environ

    def read(option: str) -> tuple[Any, str]:
        return _first(option, given, env)

    api_key = values.key(*read("api_key"))
    split_by_tenant = values.truth(*read("split_by_tenant"))
    resolution = Resolution(_with_scheme(*read("endpoint")), read("protocol"), api_key, env)
    return Settings(
        api_key=api_key,
        default_version=values.text(*read("default_version")),
        default_tenant=values.tenant(*read("default_tenant")),
        service_name=values.text(*read("service_name")),
        environment=values.text(*read("environment")),
        flush_timeout=values.seconds(*read("flush_timeout"), DEFAULT_FLUSH_TIMEOUT),
        destination=resolution.destination.split() if split_by_tenant else resolution.destination,
        wanted=resolution.wanted,
        disabled=_boolean("OTEL_SDK_DISABLED", env),
        propagation_key=values.text(*read("propagation_key")),
        inside_hosts=values.text(*read("inside_hosts")),
        trusted_sources=values.text(*read("trusted_sources")),
        proven_brokers=values.truth(*read("proven_brokers")),
        logs=values.truth(*read("logs")),
        metrics=values.truth(*read("metrics")),
        tenant_metrics=values.words(*read("tenant_metrics"), ("gen_ai.*",)),
        metric_tenants=values.count(*read("metric_tenants"), DEFAULT_METRIC_TENANTS),
        tenant_attributes=values.attribute_names(*read("tenant_attributes"), ()),
        default_agent_name=values.text(*read("default_agent_name")),
        default_model_id=values.text(*read("default_model_id")),
        default_tags=values.words(*read("default_tags")),
        default_metadata=values.pairs(*read("default_metadata")),
        workspace_id=values.text(*read("workspace_id")),
        capture_content=values.content(*read("capture_content")),
        redact=values.redaction(*read("redact")),
        content_limit=values.count(*read("content_limit"), DEFAULT_CONTENT_LIMIT),
        sample=values.shares(*read("sample")),
        sample_errors=values.truth(*read("sample_errors")),
        without=tuple(given.get("without") or ()),
    )


def _with_scheme(value: object, name: str) -> tuple[object, str]:
    """The older variable takes a host without a scheme too, as it always did."""
    if name == _OLDER_ENDPOINT and isinstance(value, str) and "://" not in value:
        return f"http://{value}", name
    return value, name


def _first(option: str, given: Mapping[str, Any], env: Mapping[str, str]) -> tuple[Any, str]:
    """The value of an option and the name under which it was set; an empty variable counts as not set."""
    if given.get(option) is not None:
        return given[option], f"{option}="
    for variable in VARIABLES[option]:
        if env.get(variable, "").strip():
            return env[variable].strip(), variable
    return None, f"{option}="


def _boolean(name: str, env: Mapping[str, str]) -> bool:
    """A switch of OpenTelemetry's: only "true" is true, https://opentelemetry.io/docs/specs/otel/configuration/."""
    return env.get(name, "").strip().lower() == "true"
