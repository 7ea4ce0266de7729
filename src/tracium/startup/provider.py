"""The tracer provider: made with the SDK's own configuration, or joined where the app has one."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry import trace
from opentelemetry.sdk import _configuration
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tracium import notices
from tracium.defaults import install_defaults
from tracium.destination import Signal
from tracium.signals import ids, tenant_span_processor
from tracium.signals.genai import ContentPolicy, GenAISpanProcessor
from tracium.startup import content_switch
from tracium.startup.asked import further, named
from tracium.startup.batches import BoundedBatchSpanProcessor
from tracium.startup.deadline import Deadline, together
from tracium.startup.delivery import watch_queue
from tracium.startup.exporter import TraciumSpanExporter
from tracium.startup.identity import agent_defaults, described, distribution
from tracium.startup.joining import add, exports, has
from tracium.startup.logs import Logs
from tracium.startup.meters import Meters
from tracium.startup.otlp import is_otlp, once
from tracium.startup.steps import nothing, steps
from tracium.tenancy.marking import direct_marking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

    from tracium.settings import Settings
    from tracium.signals import TenantSpanProcessor
    from tracium.startup.exporter import TraciumExporter

_TRACES_EXPORTER: Final = "OTEL_TRACES_EXPORTER"
_CONFIG_FILE: Final = "OTEL_CONFIG_FILE"


class Pipeline:
    """What tracium put into the process's providers.

    Attributes:
        provider: The global tracer provider.
        tenants: The processor that marks spans; None on a provider that takes none.
        calls: The processor that settles model calls; None where ended spans cannot be changed.
        batches: The processor that exports spans; None if others export and nothing asked for more.
        logs: What marks log records, and sends them if they shall go out; None before the start.
        meters: What marks metrics, and sends them if they shall go out; None before the start.
        joined: Whether the tracer provider was there before.
    """

    def __init__(self) -> None:
        self.provider: trace.TracerProvider | None = None
        self.tenants: TenantSpanProcessor | None = None
        self.calls: GenAISpanProcessor | None = None
        self.batches: BoundedBatchSpanProcessor | None = None
        self.logs: Logs | None = None
        self.meters: Meters | None = None
        self.joined = False
        self._timeout = 0.0

    def start(self, settings: Settings, auto_version: str | None = None) -> None:
        """Make the global providers, or join those that are there. If that fails it may be called again, and goes on.

        Args:
            settings: What the user configured.
            auto_version: Version of `opentelemetry-instrument`, when it starts us.
        """
        watch_queue()
        if self.logs is None:
            self.logs = Logs(settings.destination, settings.flush_timeout, settings.default_tenant)
        if _is_unset() and os.environ.get(_CONFIG_FILE):
            _configuration._OTelSDKConfigurator()._configure()  # type: ignore[no-untyped-call] # noqa: SLF001 - as below
        if self.meters is None:
            self.meters = Meters(
                settings.destination,
                names=settings.tenant_metrics,
                tenants=settings.metric_tenants,
                default=settings.default_tenant,
            )
        if _is_unset():
            self._make(settings, auto_version)
        else:
            self._join(settings)
        ids.install(self.provider)
        self._follow(settings)

    def update(self, settings: Settings) -> None:
        """Let what `init` was told later take effect on what is exported from now on."""
        if self.batches is not None:
            self.batches.timeout = settings.flush_timeout
            self.batches.exporter.redirect(settings.destination)
        elif settings.wanted and self.provider is not None:
            self._add_export(settings)
        self._follow(settings)

    def flush(self, seconds: float) -> bool:
        """Send what is there, whoever exports it; tell whether all was handed over in that time.

        The SDK's flush takes a time but does not keep to it, and what hangs for one signal costs no other.
        """
        return self._flush(Deadline(seconds))

    def shutdown(self) -> None:
        """Send what is there, within the timeout, and no more after it.

        No thread is begun for it, because at the end of the interpreter none can be: those of the queues send at the same
        time, and this one waits for them.
        """
        deadline = Deadline(self._timeout)
        self._close()
        self._await(deadline)

    def finish(self) -> None:
        """The same, also for the app's own providers, which nobody ends where Python's own exit does not come."""
        deadline = Deadline(self._timeout)
        self._close()
        if self.joined or any(signal is not None and signal.joined for signal in (self.logs, self.meters)):
            self._flush(deadline)
        self._await(deadline)

    def drain(self) -> None:
        """Send what is there from a thread that may take no lock that another one holds, however long it takes."""
        if self.calls is not None:
            self.calls.give_up()
        drains: list[Callable[[], object]] = []
        if self.batches is not None:
            drains.append(self.batches.drain)
        if self.logs is not None:
            drains.append(self.logs.drain)
        if self.meters is not None:
            drains.append(partial(self.meters.drain, self._timeout * 1000))
        together(drains)

    def give_up(self) -> None:
        """Count as lost what has not been sent: the process waits no longer."""
        for signal in (self.batches, self.logs, self.meters):
            if signal is not None:
                signal.give_up()

    def exporter_of(self, signal: Signal) -> TraciumExporter | None:
        """What sends `signal`; None if others do, or nobody."""
        if signal is Signal.METRICS:
            return next(iter(self.meters.exporters if self.meters is not None else ()), None)
        logs = None if self.logs is None else self.logs.batches
        batches = self.batches if signal is Signal.TRACES else logs
        return None if batches is None else batches.exporter

    def _close(self) -> None:
        """Let everything that is there be sent, all at the same time, and take no more."""
        if self.calls is not None:
            self.calls.give_up()
        for signal in (self.batches, self.logs, self.meters):
            if signal is not None:
                signal.close()

    def _await(self, deadline: Deadline) -> None:
        """Wait for what is being sent, but not beyond the deadline."""
        if self.batches is not None:
            self.batches.shutdown(deadline)
        if self.logs is not None:
            self.logs.shutdown(deadline)
        if self.meters is not None:
            self.meters.shutdown(deadline.left * 1000)

    def _flush(self, deadline: Deadline) -> bool:
        flush: Any = getattr(self.provider, "force_flush", None)
        flushes = [flush] if callable(flush) else []
        flushes += [signal.flush for signal in (self.logs, self.meters) if signal is not None]
        return together([partial(each, int(deadline.left * 1000)) for each in flushes], deadline)

    def _make(self, settings: Settings, auto_version: str | None) -> None:
        names = _exporters(settings)
        for signal in Signal:
            os.environ.setdefault(signal.variable("PROTOCOL"), settings.destination.of(signal).protocol)
        logs, meters = cast("Logs", self.logs), cast("Meters", self.meters)
        with steps(
            _init_tracing=_with_one_otlp(_configuration._init_tracing),  # noqa: SLF001 - a distro's way in
            _init_logging=logs.make,
            _init_metrics=meters.make if _wants_metrics(settings) else nothing,
        ):
            _configuration._initialize_components(  # noqa: SLF001 - as above
                auto_instrumentation_version=auto_version,
                trace_exporter_names=names,
                metric_exporter_names=_further(Signal.METRICS, settings, wanted=settings.metrics),
                log_exporter_names=_further(Signal.LOGS, settings, wanted=settings.logs),
                resource_attributes={**described(settings), **distribution()},
                span_processors=self._marking(),
                export_span_processor=cast("Any", lambda exporter: self._exporting(exporter, settings)),
            )
        self.provider = trace.get_tracer_provider()

    def _join(self, settings: Settings) -> None:
        self.provider = trace.get_tracer_provider()
        if self.tenants is not None and has(self.provider, self.tenants):
            # Ours, from a start that failed after it was made.
            if self.batches is None:
                self._add_export(settings)
            return
        self.joined = True
        if not callable(getattr(self.provider, "add_span_processor", None)):
            kind = f"{type(self.provider).__module__}.{type(self.provider).__qualname__}"
            notices.say(
                "provider:foreign",
                logging.WARNING,
                f"The tracer provider {kind} takes no span processors, so only the span that is current when a tenant is "
                "set gets its tenant.id. Use a provider of the OpenTelemetry SDK to have it on every span.",
            )
            return
        for processor in self._marking():
            add(self.provider, processor)
        if settings.wanted or not exports(self.provider):
            self._add_export(settings)

    def _marking(self) -> list[SpanProcessor]:
        """What changes spans, before anything that exports them."""
        self.tenants = tenant_span_processor()
        if direct_marking() is None:
            # Ended spans cannot be changed through the public API; this was said.
            return [self.tenants]
        self.calls = GenAISpanProcessor()
        return [self.tenants, self.calls]

    def _follow(self, settings: Settings) -> None:
        """Let everything be as the settings say."""
        self._timeout = settings.flush_timeout
        default, names = settings.default_tenant, settings.tenant_attributes
        install_defaults(agent_defaults(settings))
        logs, meters = cast("Logs", self.logs), cast("Meters", self.meters)
        if self.tenants is not None:
            self.tenants.default, self.tenants.aliases = default, names
        logs.update(settings.destination, settings.flush_timeout, default)
        logs.tenants.aliases = names
        meters.update(
            settings.destination,
            default,
            names,
            names=settings.tenant_metrics,
            tenants=settings.metric_tenants,
        )
        self._settle_content(settings, logs)
        self._sample(settings)
        resource = getattr(self.provider, "resource", None)
        logs.start(resource, wanted=settings.logs, elsewhere=settings.wanted)
        if _wants_metrics(settings):
            meters.start(Resource.create() if resource is None else resource)
        self._describe(settings)

    def _sample(self, settings: Settings) -> None:
        if self.batches is None:
            if settings.sample:
                notices.say(
                    "sample:elsewhere",
                    logging.WARNING,
                    "sample= has no effect: the app's own tracer provider exports, and tracium does not. Name an endpoint "
                    "with endpoint= or TRACIUM_ENDPOINT to have tracium export what it samples.",
                )
        elif settings.sample or self.batches.sampling is not None:
            from tracium.signals.sampling import SampleRates  # noqa: PLC0415 - not for apps that export all

            self.batches.sample(
                SampleRates(settings.sample or {"*": 1.0}),
                keep_errors=settings.sample_errors,
                default=settings.default_tenant,
                names=settings.tenant_attributes,
            )

    def _settle_content(self, settings: Settings, logs: Logs) -> None:
        wanted = ContentPolicy.of(settings.capture_content)
        if wanted.any and self.calls is None:
            notices.say(
                "content:unsettled",
                logging.WARNING,
                "capture_content= is not followed: the tracer provider lets tracium change no spans, so it could not keep back "
                "what a tenant may not have. Use a provider of the OpenTelemetry SDK.",
            )
            wanted = ContentPolicy.of(value=False)
        policy = content_switch.apply(wanted, events=logs.first)
        for settling in (self.calls, logs.content):
            if settling is not None:
                settling.policy, settling.redact, settling.limit = policy, settings.redact, settings.content_limit

    def _exporting(self, exporter: SpanExporter, settings: Settings) -> SpanProcessor:
        """The processor for an exporter that the SDK made: ours instead of a plain OTLP one."""
        if not is_otlp(type(exporter)):
            return BatchSpanProcessor(exporter)
        exporter.shutdown()
        return self._batch(settings)

    def _batch(self, settings: Settings) -> BoundedBatchSpanProcessor:
        self.batches = BoundedBatchSpanProcessor(TraciumSpanExporter(settings.destination), settings.flush_timeout)
        return self.batches

    def _add_export(self, settings: Settings) -> None:
        if "otlp" in named(Signal.TRACES) or settings.wanted or _TRACES_EXPORTER not in os.environ:
            add(cast("trace.TracerProvider", self.provider), self._batch(settings))

    def _describe(self, settings: Settings) -> None:
        """Add to what is sent what the providers do not say themselves."""
        resource = Resource(described(settings))
        if not resource.attributes:
            return
        if self.batches is not None:
            self.batches.exporter.describe(resource)
        for signal in (self.logs, self.meters):
            if signal is not None:
                signal.describe(resource)


def _with_one_otlp(step: Callable[..., None]) -> Callable[..., None]:
    """The SDK's step that makes the tracer provider, with one exporter in place of several to the same destination."""

    def take(exporters: Mapping[str, type[SpanExporter]], *args: Any, **more: Any) -> None:
        step(once(exporters), *args, **more)

    return take


def _is_unset() -> bool:
    return isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _further(signal: Signal, settings: Settings, *, wanted: bool) -> list[str]:
    return further(signal, wanted=wanted, protocol=settings.destination.of(signal).protocol)


def _wants_metrics(settings: Settings) -> bool:
    return settings.metrics or bool(named(Signal.METRICS))


def _exporters(settings: Settings) -> list[str]:
    """Names of exporters of spans that the SDK shall make: ours, unless OTEL_TRACES_EXPORTER names others or none."""
    unset = not os.environ.get(_TRACES_EXPORTER, "").strip()
    return _further(Signal.TRACES, settings, wanted=unset or settings.wanted)
