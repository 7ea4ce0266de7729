"""`init`, `trace` and what goes with them, as users call them. Nothing heavy is imported before the first call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracium.startup.report import Report
    from tracium.startup.runtime import Runtime


def init(  # noqa: PLR0913 - each is an option of its own, by name
    api_key: str | None = None,
    default_version: str | None = None,
    *,
    endpoint: str | None = None,
    protocol: str | None = None,
    service_name: str | None = None,
    environment: str | None = None,
    default_tenant: str | None = None,
    flush_timeout: float | None = None,
    inside_hosts: str | None = None,
    propagation_key: str | None = None,
    proven_brokers: bool | None = None,
    trusted_sources: str | None = None,
) -> None:
    """Configure OpenTelemetry and export spans; no library is patched.

    It may be called more than once, before or after `trace`, and under `opentelemetry-instrument`: options that are
    given again replace, all others stay. Each option can come from the environment instead (`TRACIUM_API_KEY`, …), and
    every `OTEL_*` variable holds.

    Args:
        api_key: Key of the Tracium backend (`TRACIUM_API_KEY`). It is sent to tracium endpoints only.
        default_version: Version of your app: the resource attribute `service.version` (`TRACIUM_DEFAULT_VERSION`).
        endpoint: Base URL of an OTLP receiver (`TRACIUM_ENDPOINT`). Without one: `OTEL_EXPORTER_OTLP_ENDPOINT`, else
            with a key the Tracium backend, else `http://localhost:4318`, where `tracium serve` listens.
        protocol: `http/protobuf` (default) or `grpc` (`TRACIUM_PROTOCOL`).
        service_name: Name of your app: `service.name` (`TRACIUM_SERVICE_NAME`).
        environment: Such as `production`: `deployment.environment.name` (`TRACIUM_ENVIRONMENT`).
        default_tenant: Tenant of spans that have none, such as `anonymous` (`TRACIUM_DEFAULT_TENANT`). The first
            tenant that is set in a request replaces it.
        flush_timeout: Seconds that the end of the process waits at most for the last spans, 5 unless set
            (`TRACIUM_FLUSH_TIMEOUT`).
        inside_hosts: Hosts of your own where the tenant may go with requests, besides loopback, private addresses and
            internal names: `orders.example.com, .example.net, 203.0.113.0/24` (`TRACIUM_INSIDE_HOSTS`).
        propagation_key: Secret that your services share and that proves a tenant between them; more than one, with
            commas between them, to change it: the first signs, all verify (`TRACIUM_PROPAGATION_KEY`). Without one it is
            derived from the API key.
        proven_brokers: Whether messages need that proof too, false unless set (`TRACIUM_PROVEN_BROKERS`).
        trusted_sources: Networks whose requests are believed without it, such as `10.1.0.0/16`
            (`TRACIUM_TRUSTED_SOURCES`).

    Raises:
        SettingError: A value that is not allowed (it is a `ValueError`); the message says what is.
    """
    _configure(locals())


def trace(  # noqa: PLR0913 - the options of init
    api_key: str | None = None,
    default_version: str | None = None,
    *,
    endpoint: str | None = None,
    protocol: str | None = None,
    service_name: str | None = None,
    environment: str | None = None,
    default_tenant: str | None = None,
    flush_timeout: float | None = None,
    inside_hosts: str | None = None,
    propagation_key: str | None = None,
    proven_brokers: bool | None = None,
    trusted_sources: str | None = None,
) -> None:
    """Do what `init` does, and instrument every library for which an instrumentation is installed.

    An instrumentation is applied when its library is first imported, or at once if it was. Calling it again changes
    nothing. A tracer provider that the app already has is joined, not replaced.

    Args:
        api_key: As for `init`.
        default_version: As for `init`.
        endpoint: As for `init`.
        protocol: As for `init`.
        service_name: As for `init`.
        environment: As for `init`.
        default_tenant: As for `init`.
        flush_timeout: As for `init`.
        inside_hosts: As for `init`.
        propagation_key: As for `init`.
        proven_brokers: As for `init`.
        trusted_sources: As for `init`.

    Raises:
        SettingError: A value that is not allowed (it is a `ValueError`); the message says what is.
    """
    _configure(locals()).instrument()


def flush(timeout: float | None = None) -> bool:
    """Send the spans that have ended so far.

    Args:
        timeout: Seconds to wait at most; the configured `flush_timeout` unless given.

    Returns:
        Whether everything was handed over in that time. What could not be delivered is in `report()`.
    """
    from tracium.startup.runtime import runtime  # noqa: PLC0415 - loads the SDK

    return runtime.flush(timeout)


async def aflush(timeout: float | None = None) -> bool:  # noqa: ASYNC109 - the same meaning as for flush
    """`flush` for async code: other tasks go on meanwhile."""
    import asyncio  # noqa: PLC0415 - not every app is async

    return await asyncio.to_thread(flush, timeout)


def shutdown() -> None:
    """Send the spans that have ended, waiting for `flush_timeout` seconds at most, and export no more."""
    from tracium.startup.runtime import runtime  # noqa: PLC0415 - loads the SDK

    runtime.shutdown()


async def ashutdown() -> None:
    """`shutdown` for async code: other tasks go on meanwhile."""
    import asyncio  # noqa: PLC0415 - not every app is async

    await asyncio.to_thread(shutdown)


def report() -> Report:
    """Tell where telemetry goes, what is instrumented and what is wrong in this process."""
    from tracium.startup.report import make_report  # noqa: PLC0415 - loads the SDK

    return make_report()


def _configure(given: dict[str, Any]) -> Runtime:
    from tracium.startup.runtime import runtime  # noqa: PLC0415 - loads the SDK

    runtime.configure(given)
    return runtime
