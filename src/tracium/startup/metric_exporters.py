"""Which exporters of metrics are asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader

_EXPORTER: Final = "OTEL_METRICS_EXPORTER"


def metrics_wanted(*, wanted: bool) -> bool:
    """Whether metrics shall be exported: by the option `metrics`, or by OTEL_METRICS_EXPORTER."""
    return wanted or bool(_environment_exporters())


def metric_exporters(*, wanted: bool, protocol: str) -> list[str]:
    """Names of exporters that the SDK shall make besides those of OTEL_METRICS_EXPORTER, which it reads itself.

    Args:
        wanted: The option `metrics`.
        protocol: That of our destination.
    """
    if not wanted or any(name.startswith("otlp") for name in _environment_exporters()):
        return []
    return ["otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"]


def once(kinds: Iterable[type[MetricExporter | MetricReader]]) -> Iterator[type[MetricExporter | MetricReader]]:
    """The same, with one OTLP exporter at most: ours stands for all of them, and would send everything twice."""
    otlp = False
    for kind in kinds:
        if not is_otlp(kind) or not otlp:
            yield kind
        otlp = otlp or is_otlp(kind)


def is_otlp(kind: type) -> bool:
    """Whether it is an OTLP exporter of the SDK's own."""
    return kind.__module__.startswith("opentelemetry.exporter.otlp.")


def _environment_exporters() -> list[str]:
    names = [name.strip() for name in os.environ.get(_EXPORTER, "").split(",")]
    return [name for name in names if name and name.lower() != "none"]
