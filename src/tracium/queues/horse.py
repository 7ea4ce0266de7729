"""Processes that workers fork for their jobs, as RQ's work-horses: they end without Python's own exit, so spans are sent before."""

from __future__ import annotations

import struct
from mmap import mmap
from threading import Thread
from time import monotonic
from typing import Any, Final

from opentelemetry._logs import get_logger_provider
from opentelemetry.trace import get_tracer_provider

from tracium.faults import fault

# Seconds that a job's process waits until its spans are sent …
_PATIENCE: Final = 5.0
# … and that the next ones wait, for so long, after that was in vain: a backend that is down must not stop the queue.
_IMPATIENCE: Final = 0.25
_PAUSE: Final = 30.0

_TIME: Final = struct.Struct("d")
# When the backend was last waited for in vain; forked processes share it.
_in_vain: Final = mmap(-1, _TIME.size)


def flush() -> None:
    """Send what this process has recorded, and wait for it no longer than is good for the queue."""
    (last,) = _TIME.unpack(_in_vain[:])
    patient = not last or monotonic() - last > _PAUSE
    sent = _send(_PATIENCE if patient else _IMPATIENCE)
    if sent or patient:
        _in_vain[:] = _TIME.pack(0.0 if sent else monotonic())


def _send(seconds: float) -> bool:
    # The SDK's flush takes a time but does not keep to it.
    sending = Thread(target=_flush_providers, args=(int(seconds * 1000),), name="tracium-flush", daemon=True)
    sending.start()
    sending.join(seconds)
    return not sending.is_alive()


def _flush_providers(milliseconds: int) -> None:
    for provider in (get_tracer_provider(), get_logger_provider()):
        force_flush: Any = getattr(provider, "force_flush", None)
        try:
            if callable(force_flush):
                force_flush(milliseconds)
        except Exception as error:  # noqa: BLE001 - the job is done all the same
            fault("sending what a job's process has recorded", error)
