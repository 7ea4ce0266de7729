"""Where spans, log records and metrics go, each with its own headers and protocol."""

from __future__ import annotations

import pytest

from tracium.destination import Destination, Signal
from tracium.exceptions import SettingError
from tracium.settings import resolve

KEY = "sk_live_1234567890"
GENERAL, LOGS, METRICS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
HEADERS, LOGS_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_LOGS_HEADERS"


def destination(given=None, **environ):
    return resolve(given or {}, environ).destination


def urls(found):
    return [found.of(signal).signal_url for signal in Signal]


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        ({}, {}, [f"http://localhost:4318/v1/{each.value}" for each in Signal]),
        ({"protocol": "grpc"}, {}, 3 * ["http://localhost:4317"]),
        ({"endpoint": "http://a:1/x"}, {LOGS: "http://l:1"}, [f"http://a:1/x/v1/{each.value}" for each in Signal]),
        ({"api_key": KEY}, {}, [f"https://api.tracium.ai/v1/{each.value}" for each in Signal]),
        ({}, {GENERAL: "http://o:1/"}, [f"http://o:1/v1/{each.value}" for each in Signal]),
        (
            {"api_key": KEY},
            {GENERAL: "http://o:1", LOGS: "http://l:1/logs"},
            ["http://o:1/v1/traces", "http://l:1/logs", "http://o:1/v1/metrics"],
        ),
        (
            {"api_key": KEY},
            {METRICS: "http://m:1/v1/metrics"},
            ["https://api.tracium.ai/v1/traces", "https://api.tracium.ai/v1/logs", "http://m:1/v1/metrics"],
        ),
        (
            {},
            {GENERAL: "http://o:1", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc"},
            ["http://o:1/v1/traces", "http://o:1", "http://o:1/v1/metrics"],
        ),
    ],
)
def test_the_place_of_each_signal(given, environ, expected):
    """An endpoint of tracium's is for all three; OpenTelemetry's variables may part them."""
    assert urls(destination(given, **environ)) == expected


def test_the_key_goes_to_tracium_only():
    """Also for log records and metrics."""
    found = destination({"api_key": KEY}, **{LOGS: "http://l:1"})
    assert [found.of(signal).api_key for signal in Signal] == [KEY, None, KEY]
    assert KEY not in repr(found)


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        ({}, {HEADERS: "authorization=o"}, [set(), set(), set()]),
        ({"endpoint": "http://a:1"}, {HEADERS: "x-scope=o"}, [set(), set(), set()]),
        ({"endpoint": "http://a:1"}, {HEADERS: "X-Scope=o,a=1", GENERAL: "http://o:1"}, 3 * [{"x-scope", "a"}]),
        ({"endpoint": "http://a:1"}, {HEADERS: "x-scope=o", LOGS: "http://l:1"}, 3 * [{"x-scope"}]),
        (
            {"endpoint": "http://a:1"},
            {HEADERS: "x-scope=o", LOGS: "http://l:1", LOGS_HEADERS: "x-logs=l"},
            [set(), {"x-logs"}, set()],
        ),
        ({"api_key": KEY}, {HEADERS: "x-scope=o", METRICS: "http://m:1"}, [{"x-scope"}, {"x-scope"}, set()]),
        ({}, {HEADERS: "x-scope=o", METRICS: "http://m:1"}, [{"x-scope"}, {"x-scope"}, set()]),
    ],
)
def test_headers_of_the_environment_go_where_they_belong(given, environ, expected):
    """They may be secrets of the endpoint that OpenTelemetry's variables name, for one signal or for all."""
    found = destination(given, **environ)
    assert [found.of(signal).foreign_headers for signal in Signal] == expected


def test_a_protocol_that_cannot_be_sent_is_refused():
    """For each signal, with its variable."""
    with pytest.raises(SettingError, match="OTEL_EXPORTER_OTLP_LOGS_PROTOCOL is 'http/json'"):
        destination(OTEL_EXPORTER_OTLP_LOGS_PROTOCOL="http/json")


def test_a_place_that_nothing_else_was_said_of_serves_all():
    """As tests and other code of ours make one."""
    place = Destination("http://a:1", "http/protobuf", "endpoint=", KEY)
    assert urls(place) == [f"http://a:1/v1/{each.value}" for each in Signal]
    assert place.of(Signal.LOGS).of(Signal.LOGS) is not place
    assert place.of(Signal.METRICS).api_key == KEY
