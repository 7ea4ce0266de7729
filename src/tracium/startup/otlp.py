"""OpenTelemetry's own OTLP exporters, one for each signal and protocol, made for a destination."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from tracium.destination import Signal
from tracium.startup.session import ExportSession

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from tracium.destination import Destination

# Modules and classes by name: those for gRPC load gRPC.
_CLASSES: Final[Mapping[Signal, tuple[str, str]]] = {
    Signal.TRACES: ("trace_exporter", "OTLPSpanExporter"),
    Signal.LOGS: ("_log_exporter", "OTLPLogExporter"),
    Signal.METRICS: ("metric_exporter", "OTLPMetricExporter"),
}
_NO_HEADERS: Final = {"tracium-sends": "no headers of the environment"}


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
        return _class("grpc", destination.signal)(endpoint=endpoint, headers=own)
    session = ExportSession(closing, foreign)
    return _class("http", destination.signal)(endpoint=endpoint, headers=headers or None, session=session)


def _class(protocol: str, signal: Signal) -> Any:
    module, name = _CLASSES[signal]
    return getattr(import_module(f"opentelemetry.exporter.otlp.proto.{protocol}.{module}"), name)
