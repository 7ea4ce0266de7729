"""What a record of `logging` says as a log record of OpenTelemetry's."""

from __future__ import annotations

import logging
import queue

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from support.bridge import app


@pytest.mark.parametrize(
    ("level", "number", "text"),
    [
        # 5 has a name where uvicorn was imported.
        (4, SeverityNumber.TRACE, "Level 4"),
        (logging.DEBUG, SeverityNumber.DEBUG, "DEBUG"),
        (logging.INFO, SeverityNumber.INFO, "INFO"),
        (25, SeverityNumber.INFO4, "Level 25"),
        (logging.WARNING, SeverityNumber.WARN, "WARN"),
        (logging.ERROR, SeverityNumber.ERROR, "ERROR"),
        (logging.CRITICAL, SeverityNumber.FATAL, "FATAL"),
        (99, SeverityNumber.FATAL4, "Level 99"),
    ],
)
def test_levels(bridge, level, number, text):
    """As OpenTelemetry's own handlers map them, and custom ones below DEBUG are not lost."""
    app.log(level, "said")
    (record,) = bridge.records
    assert (record.severity_number, record.severity_text) == (number, text)


def test_what_a_record_says(bridge):
    """The message with its arguments, the logger, the place in the code, and what was given with `extra=`."""
    app.info("order %d of %s", 7, "acme", extra={"order": 7, "event.name": "order.made", "rows": [{"a": None}]})
    (log,) = bridge.logs
    record = log.log_record
    assert (record.body, log.instrumentation_scope.name) == ("order 7 of acme", "app.orders")
    assert record.event_name == "order.made"
    attributes = dict(record.attributes)
    assert attributes.pop("code.file.path") == __file__
    assert attributes.pop("code.function.name") == "test_what_a_record_says"
    assert attributes.pop("code.line.number") > 0
    assert attributes == {"order": 7, "rows": ({"a": None},)}


def test_exceptions_and_stacks(bridge):
    """By the semantic conventions: the type with its module, the message, the stack trace."""
    try:
        queue.SimpleQueue().get_nowait()
    except queue.Empty:
        app.exception("broken")
    app.info("here", stack_info=True)
    broken, here = (record.attributes for record in bridge.records)
    assert (broken["exception.type"], broken["exception.message"]) == ("_queue.Empty", "")
    assert broken["exception.stacktrace"].endswith("_queue.Empty\n")
    assert "Stack (most recent call last)" in here["code.stacktrace"]


class Unspeakable:
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError("no")


def test_nothing_that_is_logged_costs_the_batch(bridge, monkeypatch, capsys):
    """Lone surrogates, huge numbers, objects that cannot be described or hold themselves, arguments that do not fit."""
    # Those of pytest raise what they cannot format.
    monkeypatch.setattr(logging.root, "handlers", [])
    itself = []
    itself.append(itself)
    app.warning("file \udcff", extra={"path": "\udcff", "big": 2**80, "object": Unspeakable(), "self": itself})
    app.warning("%d rows", "many")
    app.warning(Unspeakable())
    app.warning("raised", exc_info=UnspeakableError())
    assert bridge.bodies[:3] == ["file \\udcff", "%d rows", "<Unspeakable>"]
    attributes = bridge.records[0].attributes
    assert (attributes["path"], attributes["big"], attributes["object"]) == ("\\udcff", str(2**80), "")
    assert bridge.records[3].attributes["exception.message"] == ""
    assert len(encode_logs(bridge.logs).resource_logs[0].scope_logs[0].log_records) == 4
    capsys.readouterr()
