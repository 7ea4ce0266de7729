"""The meter provider: made with the SDK's own configuration, or the app's with ours around it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import metrics
from opentelemetry.sdk import _configuration
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader

from tracium import notices
from tracium.attributes import TENANT_ID
from tracium.destination import Signal
from tracium.faults import contained
from tracium.forks import in_children
from tracium.signals.metrics import DEFAULT_NAMES, DEFAULT_TENANTS, TenantMeterProvider
from tracium.startup.asked import further
from tracium.startup.deadline import Deadline
from tracium.startup.exporter import TraciumMetricExporter
from tracium.startup.metric_limits import is_unset, raised_limits, watch_limit
from tracium.startup.metric_reader import ExportingMetricReader
from tracium.startup.otlp import is_otlp, once

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.resources import Resource

    from tracium.destination import Destination

# Milliseconds for what takes none.
_MOMENT: Final = 100.0


class Meters:
    """What tracium put between the process and its metrics.

    Attributes:
        provider: Adds the tenant; it is given to instrumentors as `meter_provider=`. What it is around may be nothing yet:
            then instruments begin to record when the app sets a provider.
        exporters: Ours that send metrics; empty if others export, or nobody.
        joined: Whether the app had a provider before.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        names: Iterable[str] = DEFAULT_NAMES,
        tenants: int = DEFAULT_TENANTS,
        default: str | None = None,
    ) -> None:
        """Put the tenant onto the instruments of whatever meter provider there is.

        Args:
            destination: Where metrics go that we send.
            names: As for `TenantMeterProvider`; the three hold unless the app has put one of these around its own.
            tenants: As above.
            default: As above.
        """
        self._destination = destination
        there = metrics.get_meter_provider()
        self.joined = not is_unset(there)
        self.exporters: list[TraciumMetricExporter] = []
        self._readers: list[ExportingMetricReader] = []
        # Those that the provider's own flush and shutdown do not reach.
        self._added: list[ExportingMetricReader] = []
        # What has our readers, and whether children are looked after.
        self._following = False
        self._sdk: Any = None
        self._ours = not isinstance(there, TenantMeterProvider)
        if isinstance(there, TenantMeterProvider):
            self.provider = there
            self._take_default(default)
        else:
            self.provider = TenantMeterProvider(there, names, tenants, default)
            if self.joined:
                _say_joined(there)
        watch_limit(self.provider)

    def make(
        self,
        exporters_or_readers: Mapping[str, type[MetricExporter | MetricReader]],
        resource: Resource | None = None,
        exporter_args_map: Mapping[Any, Mapping[str, Any]] | None = None,
        meter_configurator: Any = None,
        **_more: Any,
    ) -> None:
        """Make the global meter provider: this is called instead of the SDK's own step `_init_metrics`, with its arguments.

        It exports by the exporters that the SDK found in the environment, and instead of a plain OTLP one by ours. Where
        the app has a provider it changes nothing.

        Args:
            exporters_or_readers: Classes by their names.
            resource: Of the process.
            exporter_args_map: Arguments of exporters, by class.
            meter_configurator: What OTEL_PYTHON_METER_CONFIGURATOR names.
        """
        if not is_unset(metrics.get_meter_provider()):
            return
        given = exporter_args_map or {}
        readers = [self._reader(kind, given.get(kind, {})) for kind in once(exporters_or_readers).values()]
        more = {} if meter_configurator is None else {"_meter_configurator": meter_configurator}
        # The end of the process is ours: it keeps to the timeout, and comes in children too.
        self._sdk = MeterProvider(
            metric_readers=readers,
            resource=resource,
            views=raised_limits(self.provider),
            shutdown_on_exit=False,
            **more,
        )
        self._follow(readers)
        # Instruments that were made before through the API's own provider begin to record in this moment.
        self.provider = self.provider.around(self._sdk)
        metrics.set_meter_provider(self.provider)

    def start(self, resource: Resource) -> None:
        """Export metrics from now on, where `init` or `trace` was told so only after the pipeline was made.

        Args:
            resource: Of the process, as the tracer provider has it.
        """
        if self.exporters:
            return
        if is_unset(metrics.get_meter_provider()):
            names = further(Signal.METRICS, wanted=True, protocol=self._destination.of(Signal.METRICS).protocol)
            names += _configuration._get_exporter_names("metrics")  # noqa: SLF001 - a distro's way in, as the next
            _, found, _ = _configuration._import_exporters([], names, [])  # noqa: SLF001
            self.make(found, resource)
        else:
            self.join()

    def join(self) -> None:
        """Let the provider that is there, which is mostly the app's own, export here too; where it takes no reader, say so."""
        if self.exporters:
            return
        provider: Any = metrics.get_meter_provider()
        if isinstance(provider, TenantMeterProvider):
            provider = provider.provider
        if not callable(getattr(provider, "add_metric_reader", None)):
            notices.say(
                "metrics:foreign",
                logging.WARNING,
                f"The meter provider {_class(provider)} takes no metric readers, so metrics are not sent to "
                f"{self._destination.url}. Let it export there itself.",
            )
            return
        reader = self._exporting()
        provider.add_metric_reader(reader)
        self.joined = self.joined or self._sdk is None
        self._sdk = provider
        self._added = [reader]
        self._follow([*self._readers, reader])

    def update(
        self,
        destination: Destination,
        default: str | None,
        aliases: Sequence[str] = (),
        *,
        names: Iterable[str] | None = None,
        tenants: int | None = None,
    ) -> None:
        """Let what `init` was told later take effect on what is recorded and exported from now on.

        Args:
            destination: As for the first time, as the others.
            default: As above.
            aliases: Names besides `tenant.id` under which the tenant is written.
            names: As above; they hold for instruments that are made from now on. None changes nothing, as for `tenants`.
            tenants: As above.
        """
        self._destination = destination
        self._take_default(default)
        if self._ours:
            self.provider.names = self.provider.names if names is None else names
            self.provider.tenants.limit = self.provider.tenants.limit if tenants is None else tenants
        self.provider.aliases = tuple(aliases)
        for exporter in self.exporters:
            exporter.redirect(destination)

    def describe(self, resource: Resource) -> None:
        """Add `resource` to that of all metrics from now on."""
        for exporter in self.exporters:
            exporter.describe(resource)

    def flush(self, timeout_millis: float) -> bool:
        """Send what was recorded so far, whoever exports it; tell whether all of it was handed over in that time."""
        done = [reader.force_flush(timeout_millis) for reader in self._added]
        flush: Any = getattr(metrics.get_meter_provider(), "force_flush", None)
        if callable(flush):
            try:
                done.append(flush(timeout_millis) is not False)
            except Exception as error:  # noqa: BLE001 - the SDK raises one that has no class of its own
                _say_unflushed(error)
                done.append(False)
        return all(done)

    def close(self) -> None:
        """Let our readers export what was recorded so far and end; `shutdown` waits for them."""
        for exporter in self.exporters:
            exporter.close_soon()
        for reader in self._readers:
            reader.close()

    def shutdown(self, timeout_millis: float) -> None:
        """Send what was recorded so far, waiting `timeout_millis` at most, and export no more.

        The app's own provider goes on, and ends as the app wants it to.
        """
        deadline = Deadline(timeout_millis / 1000)
        self.close()
        for reader in self._readers:
            with contained("ending the export of metrics"):
                reader.shutdown(deadline.left * 1000)
        sdk, self._sdk = self._sdk, None
        if sdk is None or self.joined:
            return
        try:
            # Without any time left it would not end its readers that are not ours.
            sdk.shutdown(timeout_millis=max(deadline.left * 1000, _MOMENT))
        except Exception as error:  # noqa: BLE001 - as above
            _say_unflushed(error)

    def drain(self, timeout_millis: float) -> None:
        """Send what was recorded so far from this thread, because the process ends by a signal."""
        for exporter in self.exporters:
            exporter.close_soon()
        for reader in self._readers:
            reader.force_flush(timeout_millis)
            finish = getattr(reader.exporter, "finish", None)
            if finish is not None:
                finish(timeout_millis / 1000)

    def give_up(self) -> None:
        """Count as lost what is under way: the process waits no longer."""
        for exporter in self.exporters:
            exporter.give_up()

    def _reader(self, kind: type[MetricExporter | MetricReader], arguments: Mapping[str, Any]) -> MetricReader:
        if issubclass(kind, MetricReader):
            return kind(**arguments)
        return self._exporting() if is_otlp(kind) else ExportingMetricReader(kind(**arguments))

    def _exporting(self) -> ExportingMetricReader:
        exporter = TraciumMetricExporter(self._destination)
        self.exporters.append(exporter)
        return ExportingMetricReader(exporter)

    def _follow(self, readers: Sequence[MetricReader]) -> None:
        """Let our readers begin anew in children; this comes after the SDK's own hooks, which prepare what it needs."""
        if not self._following:
            self._following = True
            in_children(self._begin_anew)
        self._readers = [reader for reader in readers if isinstance(reader, ExportingMetricReader)]

    def _begin_anew(self) -> None:
        """Begin from nothing in a forked child: what its parent recorded is its parent's to send.

        Taken off its provider and put there again a reader has new sums, and new locks with them.
        """
        if self._sdk is not None:
            with contained("beginning metrics anew in a forked process"):
                self._renew_sums(self._sdk)

    def _renew_sums(self, provider: Any) -> None:
        consumer: Any = getattr(provider, "_measurement_consumer", None)
        if hasattr(consumer, "_lock"):
            # The parent holds it while it collects; the SDK makes new ones of its others.
            consumer._lock = threading.Lock()  # noqa: SLF001
        for reader in self._readers:
            reader.leave()
            provider.remove_metric_reader(reader)
            provider.add_metric_reader(reader)
            reader.arrive()

    def _take_default(self, default: str | None) -> None:
        # An app that made the provider may have given it one.
        if default is not None:
            self.provider.default = default


def _say_joined(provider: metrics.MeterProvider) -> None:
    notices.say(
        "metrics:joined",
        logging.INFO,
        f"The app has a meter provider of its own, {_class(provider)}. Instrumentations that tracium applies add "
        f"{TENANT_ID} to what they record with it; instruments that the app, or a library by itself, makes from it have "
        "none. For those, set it with opentelemetry.metrics.set_meter_provider(TenantMeterProvider(provider)); the class "
        "is in tracium.signals.",
    )


def _class(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def _say_unflushed(error: Exception) -> None:
    notices.say(
        "metrics:flush",
        logging.WARNING,
        f"The last metrics may not have been sent: {error}. TRACIUM_FLUSH_TIMEOUT says how long the end of a process waits.",
    )
