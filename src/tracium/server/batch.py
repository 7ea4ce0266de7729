"""One request's telemetry, ready to be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Signal = Literal["traces", "logs", "metrics"]


@dataclass(frozen=True, slots=True)
class Batch:
    """One request, read and checked."""

    signal: Signal
    # A serialised export request in the form that the store reads.
    body: bytes
    # How many spans, log records or points it has.
    items: int
    # What the request is known by: the same bytes from the same sender have the same key.
    key: bytes
