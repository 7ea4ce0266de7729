"""A span of another vendor's."""

from __future__ import annotations

from opentelemetry import trace


class ForeignSpan(trace.NonRecordingSpan):
    """It records, and cannot be read."""

    def __init__(self):
        super().__init__(trace.SpanContext(1, 2, is_remote=False))
        self.written = {}

    def is_recording(self):
        return True

    def set_attribute(self, key, value):
        self.written[key] = value
