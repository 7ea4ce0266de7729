"""The reader of our metrics: exports them from time to time, keeps to its timeout, and begins anew in a forked child."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics.export import MetricReader

from tracium import notices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData

_INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
_TIMEOUT: Final = "OTEL_METRIC_EXPORT_TIMEOUT"
# Milliseconds unless set: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#periodic-exporting-metricreader
_DEFAULTS: Final = {_INTERVAL: 60_000.0, _TIMEOUT: 30_000.0}
# The attribute of the point that holds what is beyond the SDK's limit:
# https://opentelemetry.io/docs/specs/otel/metrics/sdk/#overflow-attribute
_OVERFLOW: Final = "otel.metric.overflow"


class ExportingMetricReader(MetricReader):
    """Exports metrics every OTEL_METRIC_EXPORT_INTERVAL milliseconds, as the SDK's own reader does.

    That one cannot be used where processes are forked: a child goes on from its parent's sums and sends them again as its
    own, and it waits for ever where its parent was exporting in the moment of the fork.

    Attributes:
        exporter: What sends them.
    """

    def __init__(self, exporter: MetricExporter) -> None:
        """Export by `exporter`, in the temporality and aggregation that it prefers."""
        super().__init__(
            preferred_temporality=exporter._preferred_temporality,  # noqa: SLF001 - as the SDK's own readers do
            preferred_aggregation=exporter._preferred_aggregation,  # noqa: SLF001
        )
        self.exporter = exporter
        self._interval, self._timeout = _milliseconds(_INTERVAL), _milliseconds(_TIMEOUT)
        self._ended = False
        self._moving = False
        self._start()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Export what was recorded so far; tell whether it could be collected."""
        return self._ended or (self._export(timeout_millis) and self.exporter.force_flush(timeout_millis))

    def close(self) -> None:
        """Let the thread export what was recorded so far and end; `shutdown` waits for it."""
        if not self._moving:
            self._stop.set()

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:  # noqa: ARG002 - the interface's
        """Export what was recorded so far, within the timeout, and no more after it."""
        if self._moving or self._ended:
            return
        self._ended = True
        begun = time.monotonic()
        self.close()
        self._thread.join(timeout_millis / 1000)
        left = timeout_millis - (time.monotonic() - begun) * 1000
        self.exporter.shutdown(timeout_millis=max(left, 0))

    def leave(self) -> None:
        """Let go of everything that is the parent's, in a forked child: until `arrive`, being taken off a provider ends nothing."""
        self._moving = True
        begin_anew = getattr(self.exporter, "begin_anew", None)
        if begin_anew is not None:
            begin_anew()

    def arrive(self) -> None:
        """Export from here on, in the forked child."""
        self._moving = False
        if not self._ended:
            self._start()

    def _start(self) -> None:
        self._stop = threading.Event()
        self._exporting = threading.Lock()
        self._thread = threading.Thread(target=self._run, args=(self._stop,), name="tracium-metrics", daemon=True)
        self._thread.start()

    def _run(self, stop: threading.Event) -> None:
        # For no interval at all an event takes no infinity.
        seconds = min(self._interval / 1000, threading.TIMEOUT_MAX)
        while not stop.wait(seconds):
            self._export(self._timeout)
        # What was recorded since; here, so that whoever ends the reader waits no longer than it wants to.
        self._export(self._timeout)

    def _export(self, timeout_millis: float) -> bool:
        try:
            self.collect(timeout_millis)
        except Exception as error:  # noqa: BLE001 - callbacks of the app's run here, and the thread must live
            notices.say(
                "metrics:collect",
                logging.WARNING,
                f"Metrics could not be collected: {type(error).__name__}: {error}. It is tried again in "
                f"{self._interval / 1000:g} seconds ({_INTERVAL}); observable instruments whose callbacks are slow make it late.",
            )
            return False
        return True

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:  # noqa: ARG002 - the interface's
        _say_overflow(metrics_data)
        with suppress_instrumentation(), self._exporting:
            try:
                self.exporter.export(metrics_data, timeout_millis)
            except Exception as error:  # noqa: BLE001 - any exporter, and the thread must live
                notices.say(
                    "metrics:export",
                    logging.WARNING,
                    f"Metrics could not be exported by {type(self.exporter).__qualname__}: {type(error).__name__}: {error}.",
                )


def _milliseconds(variable: str) -> float:
    text = os.environ.get(variable, "").strip()
    try:
        value = float(text) if text else _DEFAULTS[variable]
    except ValueError:
        value = math.nan
    if value > 0:
        return value
    notices.say(
        f"metrics:{variable}",
        logging.WARNING,
        f"{variable} is {text!r}, but it must be a number of milliseconds above 0. {_DEFAULTS[variable]:g} is used.",
    )
    return _DEFAULTS[variable]


def _say_overflow(data: MetricsData) -> None:
    """Say which instrument had more points than the SDK keeps apart, because its tenants are lost in the rest."""
    for name, attributes in _points(data):
        if _OVERFLOW in attributes:
            notices.say(
                f"metrics:overflow:{name}",
                logging.WARNING,
                f"The instrument {name} has more combinations of attributes than are kept apart: further ones go to a point "
                f"without attributes that says {_OVERFLOW}=true. Leave out attributes with many values, such as ids.",
            )


def _points(data: MetricsData) -> Iterator[tuple[str, Any]]:
    for resource_metrics in data.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                for point in metric.data.data_points:
                    yield metric.name, point.attributes or ()
