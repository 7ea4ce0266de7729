"""Every option of tracium and every environment variable that it reads, resolved once into one frozen object."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from tracium.exceptions import SettingError, TenantTypeError, TenantValueError
from tracium.tenancy.identity import check_tenant

if TYPE_CHECKING:
    from collections.abc import Mapping

TRACIUM_BACKEND: Final = "https://api.tracium.ai"
"""Where telemetry goes when an API key is set and no endpoint."""

LOCAL_BACKEND: Final = "http://localhost:4318"
"""Where telemetry goes when nothing is set: OpenTelemetry's own default, and where `tracium serve` listens."""

PROTOCOLS: Final = ("http/protobuf", "grpc")
"""The OTLP protocols that can be sent: https://opentelemetry.io/docs/specs/otlp/"""

DEFAULT_FLUSH_TIMEOUT: Final = 5.0
"""Seconds that the end of a process waits for the last spans to be sent."""

_FIRST_PRINTABLE: Final = 0x21
_LAST_PRINTABLE: Final = 0x7E


@dataclass(frozen=True, slots=True)
class Destination:
    """Where spans go.

    Attributes:
        url: The base URL for OTLP over HTTP (`/v1/traces` is added), or the URL for gRPC.
        protocol: `http/protobuf` or `grpc`.
        source: Which setting named it, in words.
        api_key: The key that travels with it; only to an endpoint of tracium's.
        from_otel: Whether OpenTelemetry's own variables name it; the exporter then reads them by itself.
        foreign_headers: Names of headers in OTEL_EXPORTER_OTLP_HEADERS that are for another endpoint, the one that
            OTEL_EXPORTER_OTLP_ENDPOINT names: they may hold its secrets and are not sent here.
    """

    url: str
    protocol: str
    source: str
    api_key: str | None = field(default=None, repr=False)
    from_otel: bool = False
    foreign_headers: frozenset[str] = frozenset()

    @property
    def traces_url(self) -> str:
        """The URL that spans are sent to."""
        if self.protocol == "grpc" or self.from_otel:
            return self.url
        return f"{self.url.rstrip('/')}/v1/traces"


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
        destination: Where spans go.
        wanted: Whether an endpoint of tracium's or a key was set: then a provider that exports elsewhere exports here too.
        disabled: `OTEL_SDK_DISABLED`.
        propagation_key: Keys that prove tenants between services, with commas between them: the first signs, all verify.
        inside_hosts: Hosts, endings of hosts and networks where the tenant may go with requests, with commas between them.
        trusted_sources: Networks whose requests are believed without a signature, with commas between them.
        proven_brokers: Whether messages need a signature too.
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


# option: (its environment variables, the first that is set counts)
VARIABLES: Final[dict[str, tuple[str, ...]]] = {
    "api_key": ("TRACIUM_API_KEY",),
    "default_version": ("TRACIUM_DEFAULT_VERSION",),
    "default_tenant": ("TRACIUM_DEFAULT_TENANT",),
    "endpoint": ("TRACIUM_ENDPOINT", "TRACIUM_BASE_URL"),
    "environment": ("TRACIUM_ENVIRONMENT",),
    "flush_timeout": ("TRACIUM_FLUSH_TIMEOUT",),
    "inside_hosts": ("TRACIUM_INSIDE_HOSTS",),
    "propagation_key": ("TRACIUM_PROPAGATION_KEY",),
    "protocol": ("TRACIUM_PROTOCOL",),
    "proven_brokers": ("TRACIUM_PROVEN_BROKERS",),
    "service_name": ("TRACIUM_SERVICE_NAME",),
    "trusted_sources": ("TRACIUM_TRUSTED_SOURCES",),
}

_OTEL_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_OTEL_HEADERS: Final = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
_OTEL_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def resolve(given: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    """Resolve the arguments of `init` and `trace` and the environment into one `Settings`.

    Raises:
        SettingError: A value that is not allowed; the message names the setting, the value and what is.
    """
    env = os.environ if environ is None else environ
    values = {option: _first(option, given, env) for option in VARIABLES}
    api_key = _key(*values["api_key"])
    endpoint = _endpoint(*values["endpoint"])
    return Settings(
        api_key=api_key,
        default_version=_text(*values["default_version"]),
        default_tenant=_tenant(*values["default_tenant"]),
        service_name=_text(*values["service_name"]),
        environment=_text(*values["environment"]),
        flush_timeout=_seconds(*values["flush_timeout"]),
        destination=_destination(
            endpoint, values["endpoint"][1], api_key, _protocol(values["protocol"], endpoint, env), env
        ),
        wanted=endpoint is not None or (api_key is not None and _otel_endpoint(env) is None),
        disabled=_boolean("OTEL_SDK_DISABLED", env),
        propagation_key=_text(*values["propagation_key"]),
        inside_hosts=_text(*values["inside_hosts"]),
        trusted_sources=_text(*values["trusted_sources"]),
        proven_brokers=_truth(*values["proven_brokers"]),
    )


def _first(option: str, given: Mapping[str, Any], env: Mapping[str, str]) -> tuple[Any, str]:
    """The value of an option and the name under which it was set; an empty variable counts as not set."""
    if given.get(option) is not None:
        return given[option], f"{option}="
    for variable in VARIABLES[option]:
        if env.get(variable, "").strip():
            return env[variable].strip(), variable
    return None, f"{option}="


def _text(value: object, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise SettingError(f"{name} is {value!r}, but it must be a string that is not empty.")
    return value


def _key(value: object, name: str) -> str | None:
    text = _text(value, name)
    if text is not None and any(not _FIRST_PRINTABLE <= ord(letter) <= _LAST_PRINTABLE for letter in text):
        # The key itself is not repeated: messages end up in logs.
        raise SettingError(
            f"{name} has a space, line break or other character that cannot stand in an HTTP header. Pass the key as "
            "it was issued: printable ASCII without spaces."
        )
    return text


def _tenant(value: object, name: str) -> str | None:
    if value is None:
        return None
    try:
        return check_tenant(value)
    except (TenantTypeError, TenantValueError) as error:
        raise SettingError(f"{name} is {value!r:.80}, which cannot be a tenant. {error}") from error


def _seconds(value: object, name: str) -> float:
    if value is None:
        return DEFAULT_FLUSH_TIMEOUT
    try:
        seconds = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise SettingError(f"{name} is {value!r}, but it must be a number of seconds from 0 on, such as 5.")
    return seconds


def _boolean(name: str, env: Mapping[str, str]) -> bool:
    """A switch of OpenTelemetry's: only "true" is true, https://opentelemetry.io/docs/specs/otel/configuration/."""
    return env.get(name, "").strip().lower() == "true"


def _truth(value: object, name: str) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in {"true", "false"}:
        raise SettingError(f"{name} is {value!r}, but it must be true or false.")
    return word == "true"


def _endpoint(value: object, name: str) -> str | None:
    text = _text(value, name)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in {"http", "https"} or not host:
        raise SettingError(
            f"{name} is {text!r}, but it must be the URL of an OTLP endpoint with http:// or https://, such as "
            f"{LOCAL_BACKEND}."
        )
    if parts.query or parts.fragment:
        raise SettingError(f"{name} is {text!r}, but an OTLP endpoint has no query and no fragment.")
    return text.rstrip("/").removesuffix("/v1/traces")


def _protocol(value_and_name: tuple[object, str], endpoint: str | None, env: Mapping[str, str]) -> str:
    value, name = value_and_name
    if value is None:
        for variable in _OTEL_PROTOCOLS:
            defaulted = endpoint is not None and variable == _OTEL_PROTOCOLS[-1] and _set_by_other_distro()
            if env.get(variable, "").strip() and not defaulted:
                value, name = env[variable].strip(), variable
                break
    if value is None:
        return PROTOCOLS[0]
    if not isinstance(value, str) or value not in PROTOCOLS:
        raise SettingError(f"{name} is {value!r}, but the protocols that can be sent are {' and '.join(PROTOCOLS)}.")
    return value


def _set_by_other_distro() -> bool:
    """Whether OTEL_EXPORTER_OTLP_PROTOCOL may be nobody's choice: `opentelemetry-distro` sets it to its own default."""
    return "opentelemetry.distro" in sys.modules


def _otel_endpoint(env: Mapping[str, str]) -> tuple[str, str] | None:
    for variable in _OTEL_ENDPOINTS:
        value = env.get(variable, "").strip()
        if value:
            return value, variable
    return None


def _destination(
    endpoint: str | None, name: str, api_key: str | None, protocol: str, env: Mapping[str, str]
) -> Destination:
    otel = _otel_endpoint(env)
    if endpoint is not None:
        foreign = frozenset() if otel is None else _otel_headers(env)
        return Destination(endpoint, protocol, name, api_key, foreign_headers=foreign)
    if otel is not None:
        value, variable = otel
        whole = variable == _OTEL_ENDPOINTS[0] or protocol == "grpc"
        return Destination(value if whole else f"{value.rstrip('/')}/v1/traces", protocol, variable, from_otel=True)
    if api_key is not None:
        return Destination(TRACIUM_BACKEND, protocol, "the API key", api_key)
    local = "http://localhost:4317" if protocol == "grpc" else LOCAL_BACKEND
    return Destination(local, protocol, "OpenTelemetry's local default")


def _otel_headers(env: Mapping[str, str]) -> frozenset[str]:
    listed = ",".join(env.get(variable, "") for variable in _OTEL_HEADERS)
    return frozenset(unquote(pair.partition("=")[0]).strip().lower() for pair in listed.split(",") if "=" in pair)
