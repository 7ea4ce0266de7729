"""Which exporters of metrics are asked for."""

from __future__ import annotations

import os
from typing import Final

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


def _environment_exporters() -> list[str]:
    names = [name.strip() for name in os.environ.get(_EXPORTER, "").split(",")]
    return [name for name in names if name and name.lower() != "none"]
