"""Whether the destination answers: one empty export."""

from __future__ import annotations

from opentelemetry.sdk.trace.export import SpanExportResult

from tracium.startup.runtime import runtime


def knock() -> bool:
    """Send one export request without spans; tell whether it was accepted. A failure is in the report.

    It is for a process that is about to end: a refused connection is not tried again.
    """
    if runtime.pipeline is None or runtime.pipeline.batches is None:
        return False
    exporter = runtime.pipeline.batches.exporter
    exporter.close_soon()
    return exporter.export(()) is SpanExportResult.SUCCESS
