"""The queue of spans in numbers, under the names of the older SDK."""

from __future__ import annotations

from typing import Any

from tracium import notices
from tracium.startup.runtime import runtime


def queue_stats() -> dict[str, Any]:
    """How full the queue is and what became of the spans so far.

    Returns:
        `queue_size` and `max_queue_size` in spans, `capacity_percent` of it, `total_enqueued`, `total_sent`,
        `total_failed` (given up by the exporter), `total_dropped` (the queue was full), `success_rate` and `drop_rate`
        (shares of 1 of what was enqueued), `is_healthy` (less than 90 percent full and nothing dropped),
        `blocking_enabled` (never). Where others export the spans: `error`, and `is_healthy` false, because nobody knows.
    """
    batches = None if runtime.pipeline is None else runtime.pipeline.batches
    processor: Any = getattr(batches, "_batch_processor", None)
    queue: Any = getattr(processor, "_queue", None)
    if batches is None or queue is None:
        return {"error": "tracium does not export the spans of this process: see tracium.report()", "is_healthy": False}
    delivered = batches.exporter.delivery.delivered
    size, most, dropped = len(queue), queue.maxlen, _dropped()
    enqueued = size + delivered.sent + delivered.lost + dropped
    return {
        "queue_size": size,
        "max_queue_size": most,
        "capacity_percent": 100 * size / most,
        "is_healthy": size < 0.9 * most and not dropped,
        "total_enqueued": enqueued,
        "total_sent": delivered.sent,
        "total_failed": delivered.lost,
        "total_dropped": dropped,
        "success_rate": delivered.sent / enqueued if enqueued else 1.0,
        "drop_rate": dropped / enqueued if enqueued else 0.0,
        "blocking_enabled": False,
    }


def _dropped() -> int:
    return sum(notice.count for notice in notices.notices() if notice.key == "export:queue-full:Span")
