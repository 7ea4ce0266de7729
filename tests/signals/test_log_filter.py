"""The tenant and the trace in an app's own log lines."""

from __future__ import annotations

import copy
import io
import logging
import logging.config
import pickle
import queue
import subprocess
import sys
import threading
from logging.handlers import QueueHandler, QueueListener

import pytest

import tracium
from tracium import faults, notices
from tracium.signals.log_filter import TenantLogFilter
from tracium.signals.structlog import add_tenant
from tracium.testing import memory_pipeline

FORMAT = "%(tenant)s %(trace_id)s %(span_id)s %(message)s"


class Lines(logging.StreamHandler):
    """A handler that keeps its lines."""

    def __init__(self, *filters):
        super().__init__(io.StringIO())
        self.setFormatter(logging.Formatter(FORMAT))
        for each in filters:
            self.addFilter(each)

    @property
    def lines(self):
        return self.stream.getvalue().splitlines()


@pytest.fixture
def logger():
    made = logging.getLogger("app.lines")
    made.setLevel(logging.INFO)
    made.propagate = False
    yield made
    for handler in list(made.handlers):
        made.removeHandler(handler)
    for each in list(made.filters):
        made.removeFilter(each)


@pytest.fixture
def lines(logger):
    handler = Lines(TenantLogFilter())
    logger.addHandler(handler)
    return handler


def test_lines_have_the_tenant_and_the_span(logger, lines):
    """All three are there in every case, so that no format fails."""
    logger.info("before")
    with memory_pipeline() as pipeline, tracium.tenant("acme"), pipeline.tracer.start_as_current_span("work") as span:
        logger.info("inside")
        context = span.get_span_context()
    assert lines.lines == ["- - - before", f"acme {context.trace_id:032x} {context.span_id:016x} inside"]


def test_on_a_logger_and_with_another_word_for_nothing(logger):
    """Filters of a logger run before the handlers of all above it; an empty string suits JSON."""
    handler = Lines()
    logger.addHandler(handler)
    logger.addFilter(TenantLogFilter(missing=""))
    with tracium.tenant("acme"):
        logger.info("one")
    logger.info("two")
    assert handler.lines == ["acme   one", "   two"]


def test_what_the_app_says_itself_stays(logger, lines):
    """With `extra=`, as an attribute that the caller gave to a span."""
    with tracium.tenant("acme"):
        logger.info("own", extra={"tenant": "mine", "trace_id": 7})
    assert lines.lines == ["mine 7 - own"]


def test_a_listener_thread_writes_the_tenant_of_where_it_was_logged(logger):
    """Not of the thread that formats, nor of the task that started it."""
    records, handler = queue.SimpleQueue(), Lines(TenantLogFilter())
    logger.addHandler(QueueHandler(records))
    listener = QueueListener(records, handler)
    with tracium.tenant("globex"):
        listener.start()
    with tracium.tenant("acme"):
        logger.info("queued")
    logger.info("nobody's")
    listener.stop()
    assert handler.lines == ["acme - - queued", "- - - nobody's"]


def test_what_is_pickled_for_another_process_tells_it_there(logger, lines):
    """And is an ordinary record to whoever else unpickles it; what is current there says nothing about it."""
    with tracium.tenant("acme"):
        record = logger.makeRecord("app.lines", logging.INFO, "f", 1, "over there", (), None)
    arrived = pickle.loads(pickle.dumps(record))
    again = pickle.loads(pickle.dumps(arrived))
    assert vars(arrived).keys() == vars(logging.makeLogRecord({})).keys()
    with tracium.tenant("globex"):
        for each in (arrived, again, copy.copy(record), copy.deepcopy(record), logging.makeLogRecord(vars(record))):
            logger.handle(each)
    assert lines.lines == 4 * ["acme - - over there"] + ["- - - over there"]


def test_records_of_a_class_of_the_apps_own(logger, lines):
    """They keep their class and all that it can do; one that keeps more than attributes is left as it is."""

    class Shouting(logging.LogRecord):
        def getMessage(self):  # noqa: N802 - as in `logging`
            return super().getMessage().upper()

    class Slotted(logging.LogRecord):
        __slots__ = ("kept",)

    before = logging.getLogRecordFactory()
    try:
        for kind in (Shouting, Slotted):
            logging.setLogRecordFactory(kind)
            with tracium.tenant("acme"):
                record = logger.makeRecord("app.lines", logging.INFO, "f", 1, "said", (), None)
                assert isinstance(record, kind)
                logger.handle(record)
    finally:
        logging.setLogRecordFactory(before)
    assert lines.lines == ["acme - - SAID", "- - - said"]


def test_formatters_of_the_app_see_nothing_of_ours(logger):
    """What shows all attributes of a record, for JSON, shows none that the app did not ask for."""
    seen = []

    class Seeing(logging.Handler):
        def emit(self, record):
            seen.append(vars(record).keys() - vars(logging.makeLogRecord({})).keys())

    logger.addHandler(Seeing())
    TenantLogFilter()
    logger.info("plain", extra={"order": 7})
    assert [names - {"message"} for names in seen] == [{"order"}]


def test_dict_config(logger):
    """As the documentation says."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"tenant": {"()": "tracium.signals.log_filter.TenantLogFilter", "missing": "nobody"}},
            "formatters": {"line": {"format": FORMAT}},
            "handlers": {"lines": {"()": Lines, "formatter": "line", "filters": ["tenant"]}},
            "loggers": {"app.lines": {"handlers": ["lines"], "level": "INFO", "propagate": False}},
        }
    )
    with tracium.tenant("acme"):
        logger.info("configured")
    logger.info("outside")
    assert logger.handlers[0].lines == ["acme nobody nobody configured", "nobody nobody nobody outside"]


def test_threads_keep_apart(logger, lines):
    """Also many at once."""

    def work(tenant):
        with tracium.tenant(tenant):
            for _ in range(20):
                logger.info(tenant)

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines.lines) == 120
    assert [line for line in lines.lines if line.split()[0] != line.split()[3]] == []


def test_it_loads_no_sdk():
    """The filter is for every process that logs, also where nothing is traced."""
    code = """
import logging, sys
from tracium.signals.log_filter import TenantLogFilter
logging.basicConfig(format="%(tenant)s %(message)s")
logging.root.handlers[0].addFilter(TenantLogFilter())
import tracium
with tracium.tenant("acme"):
    logging.warning("no SDK")
print([name for name in sys.modules if name.startswith("opentelemetry.sdk")])
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (ended.stderr, ended.stdout) == ("acme no SDK\n", "[]\n")


def test_a_bad_argument_is_refused():
    """Loudly, where it is given."""
    with pytest.raises(TypeError, match="missing is None, but it must be a string"):
        TenantLogFilter(missing=None)


def test_a_fault_of_ours_does_not_reach_the_app(logger, lines, monkeypatch):
    """The line is written all the same."""
    monkeypatch.setattr("tracium.signals.log_origin.recorded_tenant", None)
    monkeypatch.setattr(faults, "_raising", False)
    logger.info("one")
    assert lines.lines == ["- - - one"]
    assert [notice.key for notice in notices.notices()] == ["fault:finding the tenant of a log line:TypeError"]


def test_structlog_events_have_the_tenant():
    """A processor adds what there is and changes nothing that the event says."""
    assert add_tenant(None, "info", {"event": "made"}) == {"event": "made"}
    with memory_pipeline() as pipeline, tracium.tenant("acme"), pipeline.tracer.start_as_current_span("work") as span:
        context = span.get_span_context()
        assert add_tenant(None, "info", {"event": "made", "trace_id": "own"}) == {
            "event": "made",
            "tenant": "acme",
            "trace_id": "own",
            "span_id": f"{context.span_id:016x}",
        }
