"""`init`, `trace` and what goes with them, as users call them. Nothing heavy is imported before the first call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracium.startup.client import running_client

if TYPE_CHECKING:
    from typing import Unpack

    from tracium.startup.client import TraciumClient
    from tracium.startup.options import Options
    from tracium.startup.report import Report
    from tracium.startup.runtime import Runtime


def init(api_key: str | None = None, default_version: str | None = None, **options: Unpack[Options]) -> TraciumClient:
    """Configure OpenTelemetry and export spans; no library is patched.

    It may be called more than once, before or after `trace`, and under `opentelemetry-instrument`: options that are
    given again replace, all others stay. Each option can come from the environment instead (`TRACIUM_API_KEY`, …; a
    sequence has commas between its words there, a mapping is `name=value,name=value`), and every `OTEL_*` variable holds.

    Args:
        api_key: Key of the Tracium backend (`TRACIUM_API_KEY`). It is sent to tracium endpoints only.
        default_version: Version of your app: the resource attribute `service.version` (`TRACIUM_DEFAULT_VERSION`).
        **options: All others, by name.

    Where telemetry goes, and when:
        endpoint: Base URL of an OTLP receiver (`TRACIUM_ENDPOINT`). Without one: `OTEL_EXPORTER_OTLP_ENDPOINT`, else
            with a key the Tracium backend, else `http://localhost:4318`, where `tracium serve` listens.
        protocol: `http/protobuf` (default) or `grpc` (`TRACIUM_PROTOCOL`).
        logs: Whether Python's `logging` goes out too (`TRACIUM_LOGS`), as with `OTEL_LOGS_EXPORTER=otlp`.
        metrics: Whether metrics go out too (`TRACIUM_METRICS`), as with `OTEL_METRICS_EXPORTER=otlp`.
        split_by_tenant: Whether each request holds what belongs to one tenant, and names it in the header `x-tenant-id`
            (`TRACIUM_SPLIT_BY_TENANT`): a collector can forward that, but not an attribute.
        flush_timeout: Seconds that the end of the process waits at most for the last spans, 5 unless set
            (`TRACIUM_FLUSH_TIMEOUT`).
        sample: Share of traces that is exported, by patterns of tenants of which the most specific one counts, such as
            `{"free-*": 0.1, "*": 1.0}` (`TRACIUM_SAMPLE`). Usage of models is delivered for all.
        sample_errors: Whether traces with an error are exported in any case (`TRACIUM_SAMPLE_ERRORS`).

    What it says:
        service_name: Name of your app: `service.name` (`TRACIUM_SERVICE_NAME`).
        environment: Such as `production`: `deployment.environment.name` (`TRACIUM_ENVIRONMENT`).
        default_tenant: Tenant of telemetry that has none, such as `anonymous` (`TRACIUM_DEFAULT_TENANT`). The first
            tenant that is set in a request replaces it.
        tenant_attributes: Further attributes, besides `tenant.id`, that hold the tenant (`TRACIUM_TENANT_ATTRIBUTES`).
        tenant_metrics: Patterns of the instruments whose points carry the tenant, `gen_ai.*` unless set
            (`TRACIUM_TENANT_METRICS`).
        metric_tenants: How many tenants the metrics of this process tell apart, 1000 unless set
            (`TRACIUM_METRIC_TENANTS`).
        capture_content: Whether prompts and answers are captured (`TRACIUM_CAPTURE_CONTENT`): for all (True), for some
            tenants (`{"acme": True}`), or as a function of the tenant tells. They are not unless set.
        redact: What takes secrets out of them (`TRACIUM_REDACT`): patterns for keys, e-mail addresses and card numbers
            unless set, nothing (False), or a function from text to text.
        content_limit: Characters of one such text, 32768 unless set; the rest is cut (`TRACIUM_CONTENT_LIMIT`).

    Agents' runs that are given nothing else:
        default_agent_name: Name, `app` unless set (`TRACIUM_DEFAULT_AGENT_NAME`).
        default_model_id: Model (`TRACIUM_DEFAULT_MODEL_ID`).
        default_tags: Tags of every run (`TRACIUM_DEFAULT_TAGS`).
        default_metadata: Metadata of every run (`TRACIUM_DEFAULT_METADATA`).
        workspace_id: Workspace (`TRACIUM_WORKSPACE_ID`).

    The border:
        inside_hosts: Hosts of your own where the tenant may go with requests, besides loopback, private addresses and
            internal names: `orders.example.com, .example.net, 203.0.113.0/24` (`TRACIUM_INSIDE_HOSTS`).
        propagation_key: Secret that your services share and that proves a tenant between them; more than one, with
            commas between them, to change it: the first signs, all verify (`TRACIUM_PROPAGATION_KEY`). Without one it is
            derived from the API key.
        proven_brokers: Whether messages need that proof too, false unless set (`TRACIUM_PROVEN_BROKERS`).
        trusted_sources: Networks whose requests are believed without it, such as `10.1.0.0/16`
            (`TRACIUM_TRUSTED_SOURCES`).

    Returns:
        A handle for code that was written for tracium 1.5; today's code needs none.

    Raises:
        SettingError: A value that is not allowed (it is a `ValueError`); the message says what is.
        TypeError: There is no option of this name.
    """
    _configure("init", api_key, default_version, options)
    return running_client()


def trace(api_key: str | None = None, default_version: str | None = None, **options: Unpack[Options]) -> TraciumClient:
    """Do what `init` does, and instrument every library for which an instrumentation is installed.

    An instrumentation is applied when its library is first imported, or at once if it was. Calling it again changes
    nothing. A tracer provider that the app already has is joined, not replaced.

    Args:
        api_key: As for `init`.
        default_version: As for `init`.
        **options: As for `init`.

    Returns:
        A handle for code that was written for tracium 1.5; today's code needs none.

    Raises:
        SettingError: A value that is not allowed (it is a `ValueError`); the message says what is.
        TypeError: There is no option of this name.
    """
    _configure("trace", api_key, default_version, options).instrument()
    return running_client()


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


def _configure(verb: str, api_key: str | None, default_version: str | None, options: Options) -> Runtime:
    from tracium.startup.older import translate  # noqa: PLC0415 - loads the settings
    from tracium.startup.options import check_names  # noqa: PLC0415 - as above
    from tracium.startup.runtime import runtime  # noqa: PLC0415 - loads the SDK

    todays = translate(options, verb)
    check_names(todays, verb)
    runtime.configure({"api_key": api_key, "default_version": default_version, **todays})
    return runtime
