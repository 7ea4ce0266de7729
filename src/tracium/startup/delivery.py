"""What becomes of the spans that are sent, said once for each cause, with the cure."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracium import notices

if TYPE_CHECKING:
    from tracium.settings import Destination
    from tracium.startup.failure import Failure


@dataclass(frozen=True, slots=True)
class Delivered:
    """Counts of spans, and the last failure.

    Attributes:
        sent: Spans that the destination acknowledged.
        lost: Spans that were given up.
        failure: Why the last attempt failed, in words; None if it did not.
    """

    sent: int = 0
    lost: int = 0
    failure: str | None = None


class Delivery:
    """Counts what one destination took and did not take."""

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self._lock = threading.Lock()
        self._delivered = Delivered()

    @property
    def delivered(self) -> Delivered:
        """What became of the spans so far."""
        return self._delivered

    def sent(self, count: int) -> None:
        """Count spans that arrived."""
        with self._lock:
            self._delivered = Delivered(self._delivered.sent + count, self._delivered.lost)

    def lost(self, count: int, failure: Failure) -> None:
        """Count spans that were given up, and say why unless that was said."""
        text = failure.told(self.destination)
        with self._lock:
            self._delivered = Delivered(self._delivered.sent, self._delivered.lost + count, text)
        notices.say(f"export:{failure.cause.value}", logging.WARNING, text)

    def close(self) -> None:
        """Say at the end how many spans did not arrive."""
        delivered = self._delivered
        if delivered.lost:
            notices.say(
                "export:lost",
                logging.WARNING,
                f"{delivered.lost} of {delivered.lost + delivered.sent} spans did not arrive at "
                f"{self.destination.traces_url}: {delivered.failure or 'it failed before, and works again'}",
            )


QUEUE_FULL: Final = "export:queue-full"


class QueueFilter(logging.Filter):
    """Turns the SDK's repeated complaint that its queue is full into one of ours, with a count."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the complaint out of the log; leave everything else."""
        if not str(record.msg).startswith("Queue full"):
            return True
        notices.say(
            QUEUE_FULL,
            logging.WARNING,
            "Spans are dropped because they come faster than they can be sent: the queue of OTEL_BSP_MAX_QUEUE_SIZE "
            "(2048 unless set) is full. Raise it, sample (OTEL_TRACES_SAMPLER), or look whether the destination is slow.",
        )
        return False


def watch_queue() -> None:
    """Listen for dropped spans, once."""
    # The batch processor of the SDK logs here; ours comes first, because the SDK's own filter hides repetitions.
    logger = logging.getLogger("opentelemetry.sdk._shared_internal")
    if not any(isinstance(known, QueueFilter) for known in logger.filters):
        logger.filters.insert(0, QueueFilter())
