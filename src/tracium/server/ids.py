"""The ids of traces and spans that telemetry of other kinds may carry."""

from __future__ import annotations

from typing import Final

_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8


def misfit(trace_id: bytes, span_id: bytes) -> str | None:
    """Say what is wrong with a pair of ids, either of which may be empty; None where nothing is."""
    if len(trace_id) not in {0, _TRACE_ID_BYTES}:
        return f"has the trace id {trace_id.hex()!r}, not {_TRACE_ID_BYTES} bytes or none"
    if len(span_id) not in {0, _SPAN_ID_BYTES}:
        return f"has the span id {span_id.hex()!r}, not {_SPAN_ID_BYTES} bytes or none"
    return None
