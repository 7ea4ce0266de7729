"""What becomes of the telemetry that is sent, said once for each cause, with the cure."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracium import notices
from tracium.signals.log_origin import unexported

if TYPE_CHECKING:
    from tracium.destination import Destination
    from tracium.startup.failure import Failure


@dataclass(frozen=True, slots=True)
class Delivered:
    """Counts of spans, log records or metric points, and the last failure.

    Attributes:
        sent: How many the destination acknowledged.
        lost: How many were given up.
        failure: Why the last attempt failed, in words; None if it did not.
    """

    sent: int = 0
    lost: int = 0
    failure: str | None = None


class Delivery:
    """Counts what was taken and not taken of one signal.

    Attributes:
        destination: Where it goes now; a new one goes on with the counts.
    """

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        # Whoever is interrupted by a signal while it counts may count once more.
        self._lock = threading.RLock()
        self._delivered = Delivered()

    @property
    def delivered(self) -> Delivered:
        """What became of everything so far."""
        return self._delivered

    def redirect(self, destination: Destination) -> None:
        """Count for another one from now on, of which no failure is known."""
        with self._lock:
            self.destination = destination
            self._delivered = Delivered(self._delivered.sent, self._delivered.lost)

    def sent(self, count: int) -> None:
        """Count what arrived."""
        with self._lock:
            self._delivered = Delivered(self._delivered.sent + count, self._delivered.lost)

    def lost(self, count: int, failure: Failure, destination: Destination | None = None) -> None:
        """Count what was given up, and say why unless that was said.

        Args:
            count: How many.
            failure: Why.
            destination: Where it should have gone, if not to the one of now.
        """
        text = failure.told(destination or self.destination)
        with self._lock:
            self._delivered = Delivered(self._delivered.sent, self._delivered.lost + count, text)
        self._say(failure.cause.value, text)

    def close(self) -> None:
        """Say at the end how much did not arrive."""
        delivered = self._delivered
        if delivered.lost:
            self._say(
                "lost",
                f"{delivered.lost} of {delivered.lost + delivered.sent} {self.destination.signal.counted} did not arrive at "
                f"{self.destination.signal_url}: {delivered.failure or 'it failed before, and works again'}",
            )

    def _say(self, what: str, text: str) -> None:
        # What is said about an export that fails is no reason for another one.
        with unexported():
            notices.say(f"export:{self.destination.signal.value}:{what}", logging.WARNING, text)


# What the SDK's batch processors call what they drop: what is said of it, and the variable of the queue's size.
_DROPPED: Final = {"Span": ("Spans", "OTEL_BSP_MAX_QUEUE_SIZE"), "Log": ("Log records", "OTEL_BLRP_MAX_QUEUE_SIZE")}


class QueueFilter(logging.Filter):
    """Turns the SDK's repeated complaint that its queue is full into one of ours, with a count."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the complaint out of the log; leave everything else."""
        if not str(record.msg).startswith("Queue full"):
            return True
        dropped = record.args[0] if isinstance(record.args, tuple) and record.args else "Span"
        things, variable = _DROPPED.get(str(dropped), _DROPPED["Span"])
        sample = ", sample (OTEL_TRACES_SAMPLER)" if dropped == "Span" else ", log less"
        with unexported():
            notices.say(
                f"export:queue-full:{dropped}",
                logging.WARNING,
                f"{things} are dropped because they come faster than they can be sent: the queue of {variable} (2048 unless "
                f"set) is full. Raise it{sample}, or look whether the destination is slow.",
            )
        return False


def watch_queue() -> None:
    """Listen for what is dropped, once."""
    # The batch processor of the SDK logs here; ours comes first, because the SDK's own filter hides repetitions.
    logger = logging.getLogger("opentelemetry.sdk._shared_internal")
    if not any(isinstance(known, QueueFilter) for known in logger.filters):
        logger.filters.insert(0, QueueFilter())
