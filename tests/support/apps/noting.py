"""What the apps of the tests note of each request, so that a test can ask for it: also when no trace is sampled."""

import json
import os

from opentelemetry._logs import LogRecord, get_logger, get_logger_provider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.trace import get_tracer

import tracium

HAND_MADE = os.environ.get("MIDDLEWARE", "hand") == "hand"
PIECES = 3
_current = []
_logs = InMemoryLogRecordExporter()


def start():
    tracium.trace()
    get_logger_provider().add_log_record_processor(SimpleLogRecordProcessor(_logs))


def note(request, where):
    """One span, one log record, and what `get_current_tenant()` says, for the request of this number."""
    attributes = {"request": request, "where": where}
    get_tracer("app").start_span(where, attributes=attributes).end()
    get_logger("app").emit(LogRecord(body=where, attributes=attributes))
    _current.append((request, where, tracium.get_current_tenant()))


def noted():
    records = [record.log_record.attributes for record in _logs.get_finished_logs()]
    logs = [(of["request"], of["where"], of.get("tenant.id")) for of in records if "where" in of]
    return json.dumps({"process": os.getpid(), "current": _current, "logs": logs})


def is_own(path):
    """Whether an endpoint sets the tenant itself."""
    return path.startswith("/own")


def pieces(request, where="body"):
    try:
        for _ in range(PIECES):
            note(request, where)
            yield "piece\n"
        note(request, f"end of {where}")
    finally:
        note(request, f"close of {where}")


async def async_pieces(request, where="body"):
    try:
        for _ in range(PIECES):
            note(request, where)
            yield "piece\n"
        note(request, f"end of {where}")
    finally:
        note(request, f"close of {where}")
