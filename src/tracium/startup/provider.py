"""The tracer provider: made with the SDK's own configuration, or joined where the app has one."""

from __future__ import annotations

import inspect
import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry import trace
from opentelemetry.sdk import _configuration
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tracium import notices
from tracium.attributes import DEPLOYMENT_ENVIRONMENT, DISTRO_NAME, DISTRO_VERSION, SERVICE_NAME, SERVICE_VERSION
from tracium.signals import TenantLogRecordProcessor, tenant_span_processor
from tracium.startup.batches import BoundedBatchSpanProcessor
from tracium.startup.delivery import watch_queue
from tracium.startup.exporter import TraciumSpanExporter
from tracium.startup.libraries import installed_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

    from tracium.settings import Settings
    from tracium.signals import TenantSpanProcessor

_TRACES_EXPORTER: Final = "OTEL_TRACES_EXPORTER"
_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
_CONFIG_FILE: Final = "OTEL_CONFIG_FILE"
# Steps of the SDK's configuration, and the variables by which somebody asks for what they make.
_STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "_init_metrics": ("OTEL_METRICS_EXPORTER",),
    "_init_logging": ("OTEL_LOGS_EXPORTER", "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED"),
}


class Pipeline:
    """What tracium put into the process's tracer provider.

    Attributes:
        provider: The global tracer provider.
        tenants: The processor that marks spans; None on a provider that takes none.
        logs: The processor that marks log records; None where the app has a provider of its own.
        batches: The processor that exports; None if others export and nothing asked for more.
        joined: Whether the provider was there before.
    """

    def __init__(self) -> None:
        self.provider: trace.TracerProvider | None = None
        self.tenants: TenantSpanProcessor | None = None
        self.logs: TenantLogRecordProcessor | None = None
        self.batches: BoundedBatchSpanProcessor | None = None
        self.joined = False

    def start(self, settings: Settings, auto_version: str | None = None) -> None:
        """Make the global provider, or join the one that is there.

        Args:
            settings: What the user configured.
            auto_version: Version of `opentelemetry-instrument`, when it starts us.
        """
        watch_queue()
        if not _is_unset():
            self._join(settings)
        elif os.environ.get(_CONFIG_FILE):
            _configuration._OTelSDKConfigurator()._configure()  # type: ignore[no-untyped-call] # noqa: SLF001 - as below
            self._join(settings)
        else:
            self._make(settings, auto_version)

    def update(self, settings: Settings) -> None:
        """Let what `init` was told later take effect on what is exported from now on."""
        for processor in (self.tenants, self.logs):
            if processor is not None:
                processor.default = settings.default_tenant
        if self.batches is None:
            if settings.wanted and self.provider is not None:
                self._add_export(settings)
        else:
            self.batches.timeout = settings.flush_timeout
            self.batches.exporter.redirect(settings.destination)
            self._describe(settings)

    def _make(self, settings: Settings, auto_version: str | None) -> None:
        names = _exporters(settings)
        os.environ.setdefault(_PROTOCOL, settings.destination.protocol)
        self.logs = TenantLogRecordProcessor(settings.default_tenant)
        with _unread_left_out():
            _configuration._initialize_components(  # noqa: SLF001 - a distro's way in
                auto_instrumentation_version=auto_version,
                trace_exporter_names=names,
                resource_attributes={**_described(settings), **_distribution()},
                span_processors=[self._tenant_processor(settings)],
                log_record_processors=[self.logs],
                export_span_processor=cast("Any", lambda exporter: self._exporting(exporter, settings)),
            )
        self.provider = trace.get_tracer_provider()

    def _join(self, settings: Settings) -> None:
        self.joined = True
        self.provider = trace.get_tracer_provider()
        if not callable(getattr(self.provider, "add_span_processor", None)):
            kind = f"{type(self.provider).__module__}.{type(self.provider).__qualname__}"
            notices.say(
                "provider:foreign",
                logging.WARNING,
                f"The tracer provider {kind} takes no span processors, so only the span that is current when a tenant is "
                "set gets its tenant.id. Use a provider of the OpenTelemetry SDK to have it on every span.",
            )
            return
        _add(self.provider, self._tenant_processor(settings))
        if settings.wanted or not _exports(self.provider):
            self._add_export(settings)

    def _tenant_processor(self, settings: Settings) -> TenantSpanProcessor:
        self.tenants = tenant_span_processor(settings.default_tenant)
        return self.tenants

    def _exporting(self, exporter: SpanExporter, settings: Settings) -> SpanProcessor:
        """The processor for an exporter that the SDK made: ours instead of a plain OTLP one."""
        if not type(exporter).__module__.startswith("opentelemetry.exporter.otlp."):
            return BatchSpanProcessor(exporter)
        exporter.shutdown()
        return self._batch(settings)

    def _batch(self, settings: Settings) -> BoundedBatchSpanProcessor:
        self.batches = BoundedBatchSpanProcessor(TraciumSpanExporter(settings.destination), settings.flush_timeout)
        return self.batches

    def _add_export(self, settings: Settings) -> None:
        if "otlp" in _names() or settings.wanted or _TRACES_EXPORTER not in os.environ:
            _add(cast("trace.TracerProvider", self.provider), self._batch(settings))
            self._describe(settings)

    def _describe(self, settings: Settings) -> None:
        described = _described(settings)
        if described and self.batches is not None:
            self.batches.exporter.describe(Resource(described))


@contextmanager
def _unread_left_out() -> Iterator[None]:
    """Make no provider of metrics and of logs that nothing exports.

    The SDK makes them all the same. Instrumentations would measure every request for nobody then, and an app that sets a
    provider of its own later would be refused.
    """
    unread = [step for step, wanted in _STEPS.items() if not any(map(_wants, wanted)) and hasattr(_configuration, step)]
    kept = {step: getattr(_configuration, step) for step in unread}
    for step in unread:
        setattr(_configuration, step, lambda *_args, **_kwargs: None)
    try:
        yield
    finally:
        for step, original in kept.items():
            setattr(_configuration, step, original)


def _wants(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() not in {"", "none", "false"}


def _is_unset() -> bool:
    return isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _names() -> list[str]:
    return [name.strip() for name in os.environ.get(_TRACES_EXPORTER, "").split(",") if name.strip()]


def _exporters(settings: Settings) -> list[str]:
    """Names of exporters that the SDK shall make besides those of OTEL_TRACES_EXPORTER, which it reads itself."""
    names = _names()
    if any(name.startswith("otlp") for name in names) or (names and not settings.wanted):
        return []
    return ["otlp_proto_grpc" if settings.destination.protocol == "grpc" else "otlp_proto_http"]


def _described(settings: Settings) -> Mapping[str, str]:
    values = {
        SERVICE_NAME: settings.service_name,
        SERVICE_VERSION: settings.default_version,
        DEPLOYMENT_ENVIRONMENT: settings.environment,
    }
    return {key: value for key, value in values.items() if value is not None}


def _distribution() -> Mapping[str, str]:
    return {DISTRO_NAME: "tracium", DISTRO_VERSION: installed_version("tracium") or "unknown"}


def _add(provider: trace.TracerProvider, processor: SpanProcessor) -> None:
    """Add a processor; some providers drop their own exporter when one is added, unless they are told not to."""
    add: Any = provider.add_span_processor  # type: ignore[attr-defined] # looked at before
    try:
        replaces = "replace_default_processor" in inspect.signature(add).parameters
    except (TypeError, ValueError):
        replaces = False
    if replaces:
        add(processor, replace_default_processor=False)
    else:
        add(processor)


def _exports(provider: trace.TracerProvider) -> bool:
    """Whether a provider has any processor of its own. One that cannot be looked into is taken to export."""
    active: Any = getattr(provider, "_active_span_processor", None)
    processors = getattr(active, "_span_processors", None)
    if processors is None:
        return True
    ours = "tracium."
    return any(not type(processor).__module__.startswith(ours) for processor in processors)
