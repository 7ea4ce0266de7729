"""Which records of Python's `logging` go out."""

from __future__ import annotations

import logging

import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk._logs import LoggingHandler, LogRecordProcessor
from support.bridge import Bridge, app

from tracium import faults, notices
from tracium.signals.log_origin import unexported


def test_what_goes_out_is_what_reaches_the_root(bridge):
    """The levels of the loggers count, `propagate = False` and disabled loggers keep their records."""
    quiet, apart = logging.getLogger("app.quiet"), logging.getLogger("app.apart")
    quiet.setLevel(logging.ERROR)
    apart.propagate = False
    try:
        quiet.warning("too low")
        quiet.error("high enough")
        apart.error("not propagated")
        logging.Logger("standalone").error("in no tree")  # noqa: LOG001 - it is what is tested
        logging.error("at the root")  # noqa: LOG015 - it is what is tested
        app.disabled = True
        app.error("disabled")
    finally:
        apart.propagate, app.disabled = True, False
    assert bridge.bodies == ["high enough", "at the root"]


def test_a_level_of_its_own():
    """OTEL_PYTHON_LOG_HANDLER_LEVEL: records below it stay here."""
    with Bridge(level=logging.WARNING) as bridge:
        app.info("low")
        app.warning("high")
    assert bridge.bodies == ["high"]


def test_it_comes_after_the_handlers_of_the_app(bridge):
    """A filter that takes secrets out of a record has done so, and a handler that raises does not keep it here."""

    class Redacting(logging.Handler):
        def emit(self, record):
            record.msg = record.msg.replace("secret", "…")
            raise KeyError(record.msg)

    handler = Redacting()
    app.addHandler(handler)
    try:
        with pytest.raises(KeyError):
            app.info("the secret")
    finally:
        app.removeHandler(handler)
    assert bridge.bodies == ["the …"]


def test_the_bridge_is_closed_for_good(bridge):
    """Nothing goes out afterwards, and `logging` works on."""
    bridge.bridge.close()
    app.info("late")
    assert bridge.bodies == []


def test_records_about_exports_stay_here(bridge, caplog):
    """By their logger, by the thread that exports, by what they are said about, by what they are sent by."""
    # Libraries that other tests import may have turned it down.
    caplog.set_level(logging.DEBUG, "urllib3.connectionpool")
    logging.getLogger("opentelemetry.exporter.otlp.proto.http._log_exporter").error("Failed")
    logging.getLogger("opentelemetry.sdk._shared_internal").warning("Queue full")
    with unexported():
        logging.getLogger("tracium").warning("it cannot be reached")
    with suppress_instrumentation():
        logging.getLogger("urllib3.connectionpool").debug("POST /v1/logs")
        app.info("the app's own in there")
    bridge.kept_out = True
    app.info("an exporter's thread")
    bridge.kept_out = False
    logging.getLogger("urllib3.connectionpool").debug("GET /orders")
    logging.getLogger("tracium").warning("a tenant is mixed")
    assert bridge.bodies == ["the app's own in there", "GET /orders", "a tenant is mixed"]


def test_what_is_logged_while_a_record_goes_out_stays_here():
    """A processor of the app's that logs would go round for ever."""

    class Talking(LogRecordProcessor):
        def on_emit(self, log_record):
            app.warning("again")

        def shutdown(self):
            pass

        def force_flush(self, timeout_millis=30_000):
            return True

    with Bridge(Talking()) as bridge:
        app.warning("once")
        app.warning("twice")
    assert bridge.bodies == ["once", "twice"]


def test_records_do_not_go_out_twice(bridge):
    """Where the app has a handler of OpenTelemetry's on the root logger, that one sends them; it is said once."""
    with pytest.warns(DeprecationWarning, match="LoggingHandler"):
        handler = LoggingHandler(logger_provider=bridge.provider)
    logging.root.addHandler(handler)
    try:
        app.info("one")
        app.info("two")
    finally:
        logging.root.removeHandler(handler)
    assert bridge.bodies.count("one") == bridge.bodies.count("two") == 1
    assert [notice.key for notice in notices.notices()] == ["logs:handler"]


def test_a_fault_of_ours_does_not_reach_the_app(bridge, monkeypatch):
    """It is logged once, and `logging` goes on."""
    monkeypatch.setattr("tracium.signals.log_bridge.translated", None)
    monkeypatch.setattr(faults, "_raising", False)
    app.info("one")
    app.info("two")
    assert [(notice.key, notice.count) for notice in notices.notices()] == [
        ("fault:exporting what was logged:TypeError", 2)
    ]
