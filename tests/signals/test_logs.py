"""The tenant on log records, by the context that each was made in."""

from __future__ import annotations

import logging

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

import tracium
from tracium import faults, notices
from tracium.boundary.propagation import TenantPropagator
from tracium.signals import TenantLogRecordProcessor

propagator = TenantPropagator(CompositePropagator([]))


class Logs:
    def __init__(self, default=None):
        self.exporter = InMemoryLogRecordExporter()
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(TenantLogRecordProcessor(default))
        provider.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))
        self.logger = provider.get_logger("tests")

    def emit(self, context=None, attributes=None):
        """The tenant that the record has in the end."""
        self.logger.emit(LogRecord(body="said", context=context, attributes=attributes))
        return (self.exporter.get_finished_logs()[-1].log_record.attributes or {}).get("tenant.id")


@pytest.fixture
def logs():
    return Logs()


def test_a_record_belongs_to_the_context_that_it_was_made_in(logs):
    """And not to the one that is current when it is emitted."""
    with tracium.tenant("acme"):
        made = get_current()
    with tracium.tenant("globex"):
        assert logs.emit(context=made) == "acme"
        assert logs.emit() == "globex"
    assert logs.emit() is None


def test_a_record_of_a_request_keeps_its_binding(logs):
    """After a clear, and without any span; not once the request is mixed, nor in a block without a tenant."""
    token = attach(propagator.extract({}))
    tracium.set_tenant("acme")
    tracium.set_tenant(None)
    assert logs.emit() == "acme"
    with tracium.tenant(None):
        assert logs.emit() is None
    tracium.set_tenant("globex")
    assert logs.emit() == "globex"
    tracium.set_tenant(None)
    assert logs.emit() is None
    detach(token)


def test_what_the_caller_gave_stays_and_the_default_comes_last():
    """As for spans."""
    logs = Logs(default="anonymous")
    assert logs.emit() == "anonymous"
    with tracium.tenant("acme"):
        assert logs.emit(attributes={"tenant.id": "given"}) == "given"
        assert logs.emit() == "acme"


def test_a_tenant_is_whole_or_not_there(monkeypatch):
    """OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: a part of an id is another tenant."""
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "4")
    logs = Logs()
    with tracium.tenant("acme-corp"):
        assert logs.emit() is None
    with tracium.tenant("acme"):
        assert logs.emit() == "acme"
    assert [notice.key for notice in notices.notices()] == ["tenant:cut"]


def test_a_fault_of_ours_does_not_reach_the_app(logs, monkeypatch, caplog):
    """It is logged once, and the record goes on."""
    monkeypatch.setattr("tracium.signals.logs.recorded_tenant", None)
    monkeypatch.setattr(faults, "_raising", False)
    with caplog.at_level(logging.ERROR):
        assert logs.emit(context=Context()) is None
        assert logs.emit() is None
    assert len(logs.exporter.get_finished_logs()) == 2
    assert [record.getMessage().startswith("tracium failed while") for record in caplog.records] == [True]
