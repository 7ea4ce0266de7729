"""What is configured, from where, and what is refused."""

from __future__ import annotations

import pytest

from tracium.exceptions import SettingError
from tracium.settings import resolve

KEY = "sk_live_1234567890"


@pytest.mark.parametrize(
    ("given", "environ", "url", "source", "sends_key"),
    [
        ({}, {}, "http://localhost:4318/v1/traces", "OpenTelemetry's local default", False),
        ({"api_key": KEY}, {}, "https://api.tracium.ai/v1/traces", "the API key", True),
        ({"endpoint": "http://a:1"}, {"TRACIUM_ENDPOINT": "http://b:2"}, "http://a:1/v1/traces", "endpoint=", False),
        (
            {"api_key": KEY},
            {"TRACIUM_ENDPOINT": "http://b:2", "TRACIUM_BASE_URL": "http://c:3"},
            "http://b:2/v1/traces",
            "TRACIUM_ENDPOINT",
            True,
        ),
        (
            {},
            {"TRACIUM_BASE_URL": "http://c:3/", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://d:4"},
            "http://c:3/v1/traces",
            "TRACIUM_BASE_URL",
            False,
        ),
        (
            {"api_key": KEY},
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://d:4"},
            "http://d:4/v1/traces",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            False,
        ),
        (
            {},
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://e:5/x", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://d:4"},
            "http://e:5/x",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            False,
        ),
        ({}, {"TRACIUM_API_KEY": KEY}, "https://api.tracium.ai/v1/traces", "the API key", True),
        ({"endpoint": "http://a:1/v1/traces"}, {}, "http://a:1/v1/traces", "endpoint=", False),
        ({"protocol": "grpc"}, {}, "http://localhost:4317", "OpenTelemetry's local default", False),
    ],
)
def test_the_first_destination_that_is_set_counts(given, environ, url, source, sends_key):
    """Argument, TRACIUM_ENDPOINT, TRACIUM_BASE_URL, OTEL_*, key, local default; the key goes to tracium's only."""
    destination = resolve(given, environ).destination
    assert (destination.traces_url, destination.source) == (url, source)
    assert (destination.api_key == KEY) is sends_key


def test_an_argument_wins_over_the_environment():
    """Argument, then environment, then default, for every option."""
    environ = {"TRACIUM_DEFAULT_VERSION": "1", "TRACIUM_DEFAULT_TENANT": "env", "TRACIUM_FLUSH_TIMEOUT": "2.5"}
    settings = resolve({"default_version": "2"}, environ)
    assert (settings.default_version, settings.default_tenant, settings.flush_timeout) == ("2", "env", 2.5)


def test_an_empty_variable_is_not_set():
    """Container files often set variables to nothing."""
    assert resolve({}, {"TRACIUM_ENDPOINT": " ", "TRACIUM_API_KEY": ""}).destination.source.startswith("OpenTelemetry")


@pytest.mark.parametrize(
    ("given", "environ", "said"),
    [
        ({"endpoint": "localhost:4318"}, {}, "endpoint= is 'localhost:4318'"),
        ({}, {"TRACIUM_ENDPOINT": "ftp://x"}, "TRACIUM_ENDPOINT is 'ftp://x'"),
        ({}, {"TRACIUM_BASE_URL": "http://"}, "TRACIUM_BASE_URL is 'http://'"),
        ({"endpoint": "http://x/?a=1"}, {}, "no query"),
        ({"endpoint": "http://[::1"}, {}, "http://[::1"),
        ({"protocol": "http/json"}, {}, "http/protobuf and grpc"),
        ({}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "carrier-pigeon"}, "OTEL_EXPORTER_OTLP_PROTOCOL is 'carrier-pigeon'"),
        ({"default_tenant": ""}, {}, "default_tenant= is ''"),
        ({}, {"TRACIUM_DEFAULT_TENANT": "x" * 256}, "256 characters"),
        ({"flush_timeout": -1}, {}, "flush_timeout= is -1"),
        ({}, {"TRACIUM_FLUSH_TIMEOUT": "soon"}, "TRACIUM_FLUSH_TIMEOUT is 'soon'"),
        ({"flush_timeout": float("inf")}, {}, "number of seconds"),
        ({"flush_timeout": True}, {}, "flush_timeout= is True"),
        ({"service_name": 3}, {}, "service_name= is 3"),
        ({"default_version": " "}, {}, "not empty"),
    ],
)
def test_a_bad_value_is_refused_with_its_name(given, environ, said):
    """The message names the setting, the value and what is allowed."""
    with pytest.raises(SettingError) as refused:
        resolve(given, environ)
    assert said in str(refused.value)
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize("key", ["sk live", "sk\nlive", "sk_\u00e9", "sk\u2026"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_repeated(key):
    """A key in an error message ends up in a log."""
    with pytest.raises(SettingError) as refused:
        resolve({"api_key": key}, {})
    assert key not in str(refused.value)


def test_a_key_is_not_shown():
    """Settings end up in logs and tracebacks."""
    assert KEY not in repr(resolve({"api_key": KEY}, {}))
