"""From settings to providers and exporters to instrumentors; and the entry points of `opentelemetry-instrument`."""

from tracium.startup.verbs import aflush, ashutdown, flush, init, report, shutdown, trace

__all__ = ["aflush", "ashutdown", "flush", "init", "report", "shutdown", "trace"]
