"""Which exporters are asked for, by the environment and by our own options."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracium.destination import Signal


def named(signal: Signal) -> list[str]:
    """The exporters that OTEL_TRACES_EXPORTER or its sister for `signal` names; `none` is not one."""
    names = [name.strip() for name in os.environ.get(f"OTEL_{signal.name}_EXPORTER", "").split(",")]
    return [name for name in names if name and name.lower() != "none"]


def further(signal: Signal, *, wanted: bool, protocol: str) -> list[str]:
    """Names of exporters that the SDK shall make besides those that are named, which it reads itself.

    Args:
        signal: What is exported.
        wanted: Our own option for it.
        protocol: That of our destination.
    """
    if not wanted or any(name.startswith("otlp") for name in named(signal)):
        return []
    return ["otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"]
