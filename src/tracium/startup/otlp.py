"""OpenTelemetry's own OTLP exporters, one for each signal and protocol, made for a destination."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tracium.destination import Signal
from tracium.startup.session import ExportSession

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.destination import Destination

# Modules and classes by name: those for gRPC load gRPC.
_CLASSES: Final[Mapping[Signal, tuple[str, str]]] = {
    Signal.TRACES: ("trace_exporter", "OTLPSpanExporter"),
    Signal.LOGS: ("_log_exporter", "OTLPLogExporter"),
    Signal.METRICS: ("metric_exporter", "OTLPMetricExporter"),
}
_NO_HEADERS: Final = {"tracium-sends": "no headers of the environment"}
# What an exporter over gRPC waits by before it tries again, and whether it was ended.
_WAITS_BY: Final = "_shutdown_in_progress"
_ENDED: Final = "_shutdown"

Kind = TypeVar("Kind", bound=type)
"""A class of exporters or readers."""


def otlp_exporter(destination: Destination, closing: threading.Event) -> Any:
    """The exporter that sends the destination's signal there; what it is not told it reads from the environment.

    Args:
        destination: Where it goes.
        closing: Set when the process ends, and a refused connection is final.
    """
    headers = {} if destination.api_key is None else {"authorization": f"Bearer {destination.api_key}"}
    foreign = destination.foreign_headers - headers.keys()
    endpoint = None if destination.from_otel else destination.signal_url
    if destination.protocol == "grpc":
        # With headers of its own the exporter leaves those of the environment out.
        own = headers or (_NO_HEADERS if foreign else None)
        exporter = _class("grpc", destination.signal)(endpoint=endpoint, headers=own)
        if hasattr(exporter, _WAITS_BY):
            setattr(exporter, _WAITS_BY, _Patience(exporter))
        if closing.is_set():
            hurry(exporter)
        return exporter
    session = ExportSession(closing, foreign)
    return _class("http", destination.signal)(endpoint=endpoint, headers=headers or None, session=session)


def hurry(exporter: object) -> None:
    """Let an exporter over gRPC wait no longer before it tries again, and do so once. Over HTTP its session sees to it."""
    patience = getattr(exporter, _WAITS_BY, None)
    if isinstance(patience, _Patience):
        patience.set()


def once(exporters: Mapping[str, Kind]) -> dict[str, Kind]:
    """The same, with one OTLP exporter at most: ours stands for all of them, and would send everything twice."""
    spare = [name for name, kind in exporters.items() if is_otlp(kind)][1:]
    return {name: kind for name, kind in exporters.items() if name not in spare}


def is_otlp(kind: type) -> bool:
    """Whether it is an OTLP exporter of the SDK's own."""
    return kind.__module__.startswith("opentelemetry.exporter.otlp.")


class _Patience(threading.Event):
    """How long an exporter waits after a failure: from when it is set, no longer.

    It tries once more then, over a connection of its own: the one before may have waited to be made again itself.
    """

    def __init__(self, exporter: object) -> None:
        super().__init__()
        self._exporter = exporter
        self._again = True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait; tell whether to give up."""
        if not super().wait(timeout):
            return False
        again, self._again = self._again, False
        return not again or bool(getattr(self._exporter, _ENDED, False))


def _class(protocol: str, signal: Signal) -> Any:
    module, name = _CLASSES[signal]
    return getattr(import_module(f"opentelemetry.exporter.otlp.proto.{protocol}.{module}"), name)
