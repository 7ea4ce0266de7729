"""Our exporters send every signal alike: to its destination, described, counted, and with what failed in words."""

from __future__ import annotations

import logging

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from support.app import free_port
from support.receiver import grpc_receiver, http_receiver

from tracium import notices
from tracium.destination import Destination, Signal
from tracium.settings import resolve
from tracium.startup.exporter import TraciumLogExporter, TraciumMetricExporter, TraciumSpanExporter

KIND = {Signal.TRACES: "spans", Signal.LOGS: "logs", Signal.METRICS: "points"}
EXPORTER = {Signal.TRACES: TraciumSpanExporter, Signal.LOGS: TraciumLogExporter, Signal.METRICS: TraciumMetricExporter}
MADE_WITH = Resource({"service.name": "made", "team": "x"})


class Sending:
    """A provider of the SDK's that sends one thing at a time through one of our exporters."""

    def __init__(self, signal, destination):
        self.exporter = EXPORTER[signal](destination)
        self.send, self.end = getattr(self, f"_{signal.value}")()

    def _traces(self):
        provider = TracerProvider(resource=MADE_WITH, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        tracer = provider.get_tracer("tests")
        return lambda: tracer.start_span("sent").end(), provider.shutdown

    def _logs(self):
        provider = LoggerProvider(resource=MADE_WITH, shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))
        logger = provider.get_logger("tests")
        return lambda: logger.emit(LogRecord(body="sent")), provider.shutdown

    def _metrics(self):
        reader = PeriodicExportingMetricReader(self.exporter, export_interval_millis=float("inf"))
        provider = MeterProvider([reader], resource=MADE_WITH, shutdown_on_exit=False)
        counter, histogram = (
            make("sent") for make in (provider.get_meter("a").create_counter, provider.get_meter("b").create_histogram)
        )

        def send():
            counter.add(1)
            histogram.record(2.0)
            provider.force_flush()

        return send, provider.shutdown


@pytest.fixture(params=list(Signal), ids=lambda signal: signal.value)
def signal(request):
    return request.param


def place(url, protocol="http/protobuf", api_key=None):
    return Destination(url, protocol, "endpoint=", api_key)


@pytest.mark.parametrize(("protocol", "receiving"), [("http/protobuf", http_receiver), ("grpc", grpc_receiver)])
def test_everything_is_sent_described_and_counted(signal, protocol, receiving):
    """With the key, and with what was learned after the provider was made."""
    with receiving() as receiver:
        sending = Sending(signal, place(receiver.url, protocol, "sk_1"))
        sending.send()
        sending.exporter.describe(Resource({"service.name": "described"}))
        sending.send()
        sending.end()
        arrived = getattr(receiver, KIND[signal])
        names = [each.resource["service.name"] for each in arrived]
        assert sorted(set(names)) == ["described", "made"]
        assert {each.resource["team"] for each in arrived} == {"x"}
        assert {headers["authorization"] for headers in receiver.headers} == {"Bearer sk_1"}
        assert sending.exporter.delivery.delivered.sent >= len(arrived) >= 2
    assert notices.notices() == ()


def test_a_later_destination_gets_what_comes_later(signal):
    """Another place, key and protocol; the counts begin anew."""
    with http_receiver() as first, grpc_receiver() as second:
        sending = Sending(signal, place(first.url))
        sending.send()
        sending.exporter.redirect(place(second.url, "grpc", "sk_2"))
        sending.send()
        sending.end()
        counts = [len(getattr(each, KIND[signal])) for each in (first, second)]
        assert min(counts) > 0
        assert sending.exporter.delivery.delivered.sent <= counts[1] + 2
        assert [headers.get("authorization") for headers in second.headers] == len(second.headers) * ["Bearer sk_2"]


SAID = {
    Signal.TRACES: ("the spans, so they are lost", "answers, but not to OTLP, so spans are lost", "2 of 2 spans"),
    Signal.LOGS: ("the log records, so they are lost", "takes no log records", "2 of 2 log records"),
    Signal.METRICS: ("the metrics, so they are lost", "takes no metrics", "metric points did not arrive"),
}


@pytest.mark.parametrize(("status", "which"), [(400, 0), (404, 1)])
def test_a_failure_is_said_once_with_its_cause(signal, status, which):
    """In the words of the signal; at the end it is said how much did not arrive."""
    with http_receiver(status=status) as receiver:
        sending = Sending(signal, place(receiver.url))
        sending.send()
        sending.send()
        assert sending.exporter.delivery.delivered.failure is not None
        sending.end()
        assert set(receiver.requests) == {f"/v1/{signal.value}"}
    reason, lost = (notice.text for notice in notices.notices())
    assert SAID[signal][which] in reason
    assert SAID[signal][2] in lost
    assert receiver.url in reason
    assert f"HTTP {status}" in reason


def test_nobody_there_is_said_with_the_cure(signal):
    """Not only the first time is the reason heard."""
    sending = Sending(signal, place(f"http://127.0.0.1:{free_port()}"))
    sending.exporter.close_soon()
    for _ in range(2):
        sending.send()
        assert "Connection refused" in sending.exporter.delivery.delivered.failure
    sending.end()
    assert [notice.key for notice in notices.notices()] == [
        f"export:{signal.value}:unreachable",
        f"export:{signal.value}:lost",
    ]


def test_the_exporters_say_nothing_themselves(signal, caplog):
    """What they log is heard and told in one sentence."""
    with http_receiver(status=400) as receiver, caplog.at_level(logging.DEBUG):
        sending = Sending(signal, place(receiver.url))
        sending.send()
        sending.end()
    assert {record.name for record in caplog.records if record.name.startswith("opentelemetry")} == set()


@pytest.mark.parametrize(("preference", "temporality"), [("delta", 1), ("cumulative", 2)])
def test_the_temporality_that_was_asked_for(monkeypatch, preference, temporality):
    """OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE is the exporter's, and the reader asks ours."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference)
    with http_receiver() as receiver:
        sending = Sending(Signal.METRICS, place(receiver.url))
        sending.send()
        sending.end()
        assert {point.temporality for point in receiver.points_of("sent")} == {temporality}


def test_the_aggregation_that_was_asked_for(monkeypatch):
    """OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION too."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram")
    with http_receiver() as receiver:
        sending = Sending(Signal.METRICS, place(receiver.url))
        sending.send()
        sending.end()
        assert {point.kind for point in receiver.points_of("sent")} == {"sum", "exponential_histogram"}


@pytest.mark.parametrize(("protocol", "receiving"), [("http/protobuf", http_receiver), ("grpc", grpc_receiver)])
def test_variables_of_opentelemetry_part_the_signals(signal, protocol, receiving, monkeypatch):
    """Each with its endpoint and its headers, which the exporter reads by itself."""
    with receiving() as receiver:
        url = receiver.url if protocol == "grpc" else f"{receiver.url}/v1/{signal.value}"
        for what, value in (("ENDPOINT", url), ("HEADERS", "x-own=1"), ("PROTOCOL", protocol)):
            monkeypatch.setenv(signal.variable(what), value)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-general=1")
        found = resolve({"api_key": "sk_1"}).destination
        sending = Sending(signal, found)
        sending.send()
        sending.end()
        assert len(getattr(receiver, KIND[signal])) > 0
        headers = receiver.headers[0]
        assert (headers["x-own"], "x-general" in headers, "authorization" in headers) == ("1", False, False)


@pytest.mark.parametrize(("protocol", "receiving"), [("http/protobuf", http_receiver), ("grpc", grpc_receiver)])
def test_secrets_of_another_endpoint_stay_here(signal, protocol, receiving, monkeypatch):
    """Headers that are for what OpenTelemetry's variables name do not go to ours."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://elsewhere.example")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-secret=1,authorization=theirs")
    with receiving() as receiver:
        found = resolve({"endpoint": receiver.url, "protocol": protocol, "api_key": "sk_1"}).destination
        sending = Sending(signal, found)
        sending.send()
        sending.end()
        headers = receiver.headers[0]
        assert ("x-secret" in headers, headers["authorization"]) == (False, "Bearer sk_1")
