"""Our exporters: any OTLP exporter, with its destination and the resource changeable, and nothing silent."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from tracium.destination import Signal
from tracium.forks import around
from tracium.startup.delivery import Delivery
from tracium.startup.description import Description
from tracium.startup.failure import failure_from, listening
from tracium.startup.otlp import hurry, otlp_exporter
from tracium.startup.split import Part, sent_with, split, split_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan

    from tracium.destination import Destination

_SLOW: Final = logging.makeLogRecord({"msg": "it did not answer before the process ended (TRACIUM_FLUSH_TIMEOUT)"})

# Seconds that a fork may wait for an export over gRPC, and a new destination for one to the old one.
_PAUSE: Final = 2.0

_inherited: Final[list[object]] = []


class _Batch:
    """What was given to export and is not settled: what, how much, where it goes, and what was heard about it."""

    __slots__ = ("count", "destination", "heard", "part")

    def __init__(self, part: Part, destination: Destination) -> None:
        self.part = part
        self.count = part.count
        self.destination = destination
        self.heard: list[logging.LogRecord] = []


class TraciumExporter:
    """Sends one signal to a destination and keeps count of what became of it.

    Attributes:
        signal: What it sends.
        destination: Where it goes now.
        delivery: What became of it.
    """

    signal: ClassVar[Signal]

    def __init__(self, destination: Destination) -> None:
        """Send to where `destination` says that the signal goes."""
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._description: Description | None = None
        self._underway: _Batch | None = None
        # That one, and those that wait for it.
        self._unsettled: set[_Batch] = set()
        self.destination = destination.of(self.signal)
        self.delivery = Delivery(self.destination)
        self._inner: Any = self._make(self.destination)
        self._sending = threading.Lock()
        self._paused = False
        around(self._pause, self._go_on)

    def redirect(self, destination: Destination) -> None:
        """Send to where `destination` says that the signal goes, from now on; what is under way may arrive."""
        destination = destination.of(self.signal)
        if destination == self.destination:
            return
        made = self._make(destination)
        with self._lock:
            before, self._inner = self._inner, made
            self.destination = destination
            self.delivery.redirect(destination)
        if before is not None:
            hurry(before)
            sent = self._sending.acquire(timeout=_PAUSE)
            try:
                before.shutdown()
            finally:
                if sent:
                    self._sending.release()

    def begin_anew(self) -> None:
        """Share nothing with the parent of a forked process: neither its connections nor its locks nor its counts."""
        # Whatever ends a connection that was inherited ends it for the parent too, so it is kept and never used.
        _inherited.append(self._inner)
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._paused = False
        self._closing = threading.Event()
        self._underway = None
        self._unsettled = set()
        self.delivery = Delivery(self.destination)
        # It is made where it is needed, because not every library can be called while a process is being forked.
        self._inner = None

    def describe(self, resource: Resource) -> None:
        """Add `resource` to that of everything from now on: what `init` learned after the provider was made."""
        with self._lock:
            self._description = Description(resource)

    def close_soon(self) -> None:
        """From now on a refused connection is final: the process ends and nobody waits for a retry."""
        self._closing.set()
        hurry(self._inner)

    def finish(self, timeout: float) -> None:
        """Wait `timeout` seconds at most for what another thread sends, and say then what did not arrive."""
        if self._sending.acquire(timeout=timeout):
            self._sending.release()
            self.delivery.close()

    def give_up(self, waiting: int = 0) -> None:
        """Count as lost what is still on its way, and `waiting` that never were, and say how much did not arrive."""
        count, heard = waiting, list[logging.LogRecord]()
        while self._unsettled:
            # Another thread may settle one at the same time.
            with suppress(KeyError):
                batch = self._unsettled.pop()
                count += batch.count
                heard += batch.heard
        if count:
            self.delivery.lost(count, failure_from(heard or [_SLOW]))
        self.delivery.close()

    def end(self, waiting: int = 0) -> None:
        """Send no more; what is still on its way is given up, as `waiting` that are left elsewhere."""
        self.give_up(waiting)
        if self._inner is not None:
            self._inner.shutdown()

    def _send(self, data: Any, count: int) -> bool:
        """Send `data` of `count`; a failure is counted and said once, with its cause and the cure."""
        parts = self._parts(data) if self.destination.split_by_tenant else [Part(None, data, count)]
        batches = [_Batch(part, self.destination) for part in parts]
        # All of them: those that still wait when the process ends are lost, too.
        self._unsettled.update(batches)
        # Each is tried, whatever becomes of the others.
        arrived = [self._send_one(batch) for batch in batches]
        return all(arrived)

    def _send_one(self, batch: _Batch) -> bool:
        if batch not in self._unsettled:
            # It was given up while others were sent.
            return False
        data, headers = batch.part.data, batch.part.headers
        arrived, error = False, None
        with self._sending, listening() as batch.heard:
            self._underway = batch
            try:
                inner, description, batch.destination = self._current()
                described = data if description is None else self._described(data, description)
                with sent_with(headers, inner):
                    arrived = inner.export(described).name == "SUCCESS"
            except Exception as raised:  # noqa: BLE001 - whatever an exporter raises, the worker thread must live
                error = raised
            finally:
                self._underway = None
        self._settle(batch, error, arrived=arrived)
        return arrived

    def _current(self) -> tuple[Any, Description | None, Destination]:
        with self._lock:
            if self._inner is None:
                self._inner = self._make(self.destination)
            return self._inner, self._description, self.destination

    def _settle(self, batch: _Batch, error: BaseException | None, *, arrived: bool) -> None:
        """Count a batch, unless it was given up meanwhile: then it was counted."""
        try:
            self._unsettled.remove(batch)
        except KeyError:
            return
        if arrived:
            self.delivery.sent(batch.count)
        else:
            self.delivery.lost(batch.count, failure_from(batch.heard, error), batch.destination)

    def _pause(self) -> None:
        """Let no export be under way while this process is forked: a child could not use gRPC then.

        An export that takes long is not waited for, nor a destination that does not answer: such a child says that it
        cannot send.
        """
        if self.destination.protocol == "grpc" and self.delivery.delivered.failure is None:
            self._paused = self._sending.acquire(timeout=_PAUSE)

    def _go_on(self) -> None:
        if self._paused:
            self._paused = False
            self._sending.release()

    def _make(self, destination: Destination) -> Any:
        return otlp_exporter(destination, self._closing)

    def _described(self, batch: Any, description: Description) -> Any:
        raise NotImplementedError

    def _parts(self, batch: Any) -> list[Part]:
        raise NotImplementedError


class TraciumSpanExporter(TraciumExporter, SpanExporter):
    """Sends spans."""

    signal = Signal.TRACES

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send `spans`; a failure is counted and said once, with its cause and the cure."""
        return SpanExportResult.SUCCESS if self._send(spans, len(spans)) else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Send no more; what is still on its way is given up."""
        self.end()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the interface's
        """Nothing is kept here."""
        return True

    def _described(self, batch: Sequence[ReadableSpan], description: Description) -> Sequence[ReadableSpan]:
        return [description.span(span) for span in batch]

    def _parts(self, batch: Sequence[ReadableSpan]) -> list[Part]:
        return split(batch, lambda span: span.attributes)


class TraciumLogExporter(TraciumExporter, LogRecordExporter):
    """Sends log records."""

    signal = Signal.LOGS

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Send `batch`; a failure is counted and said once, with its cause and the cure."""
        return LogRecordExportResult.SUCCESS if self._send(batch, len(batch)) else LogRecordExportResult.FAILURE

    def shutdown(self) -> None:
        """Send no more; what is still on its way is given up."""
        self.end()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the interface's
        """Nothing is kept here."""
        return True

    def _described(self, batch: Sequence[ReadableLogRecord], description: Description) -> Sequence[ReadableLogRecord]:
        return [description.log_record(record) for record in batch]

    def _parts(self, batch: Sequence[ReadableLogRecord]) -> list[Part]:
        return split(batch, lambda record: record.log_record.attributes)


class TraciumMetricExporter(TraciumExporter, MetricExporter):
    """Sends metrics, in the temporality and aggregation that OTEL_EXPORTER_OTLP_METRICS_… ask for."""

    signal = Signal.METRICS

    def __init__(self, destination: Destination) -> None:
        """Send to where `destination` says that metrics go."""
        TraciumExporter.__init__(self, destination)
        # A reader asks its exporter for these once, and the OTLP exporter has read them from the environment.
        MetricExporter.__init__(
            self,
            preferred_temporality=self._inner._preferred_temporality,  # noqa: SLF001 - as the reader does
            preferred_aggregation=self._inner._preferred_aggregation,  # noqa: SLF001
        )

    def export(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,  # noqa: ARG002 - the interface's
        **kwargs: Any,  # noqa: ARG002
    ) -> MetricExportResult:
        """Send `metrics_data`; a failure is counted in points and said once, with its cause and the cure."""
        arrived = self._send(metrics_data, _points(metrics_data))
        return MetricExportResult.SUCCESS if arrived else MetricExportResult.FAILURE

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:  # noqa: ARG002 - the interface's
        """Send no more; what is still on its way is given up."""
        self.end()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002 - the interface's
        """Nothing is kept here."""
        return True

    def _described(self, batch: MetricsData, description: Description) -> MetricsData:
        return description.metrics(batch)

    def _parts(self, batch: MetricsData) -> list[Part]:
        return split_metrics(batch)


def _points(data: MetricsData) -> int:
    return sum(
        len(metric.data.data_points)
        for resource_metrics in data.resource_metrics
        for scope_metrics in resource_metrics.scope_metrics
        for metric in scope_metrics.metrics
    )
