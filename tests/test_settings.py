"""What is configured, from where, and what is refused."""

from __future__ import annotations

import pytest

import tracium
from tracium.destination import Signal
from tracium.exceptions import SettingError
from tracium.settings import VARIABLES, resolve
from tracium.startup.options import Options

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
        ({}, {"TRACIUM_BASE_URL": "c:3"}, "http://c:3/v1/traces", "TRACIUM_BASE_URL", False),
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
        ({"logs": "yes"}, {}, "logs= is 'yes', but it must be true or false"),
        ({"metric_tenants": 0}, {}, "metric_tenants= is 0"),
        ({}, {"TRACIUM_METRIC_TENANTS": "1.5"}, "TRACIUM_METRIC_TENANTS is '1.5'"),
        ({"content_limit": float("nan")}, {}, "whole number from 1 on, such as 32768"),
        ({"tenant_metrics": 3}, {}, "sequence of strings"),
        ({"default_tags": ["a", 1]}, {}, "sequence of strings"),
        ({"tenant_attributes": "app.customer, 1st"}, {}, "'1st'"),
        ({"default_metadata": {1: 2}}, {}, "keys are strings"),
        ({}, {"TRACIUM_DEFAULT_METADATA": "team"}, "TRACIUM_DEFAULT_METADATA is 'team'"),
        ({"sample": {"free-*": 1.5}}, {}, "'free-*' a share"),
        ({}, {"TRACIUM_SAMPLE": "free-*=often"}, "'free-*' a share"),
        ({"sample": True}, {}, "sample= is True"),
        ({"capture_content": {"acme": "yes"}}, {}, "capture_content= is {'acme': 'yes'}"),
        ({"capture_content": 1}, {}, "capture_content= is 1"),
        ({"redact": "maybe"}, {}, "redact= is 'maybe'"),
    ],
)
def test_a_bad_value_is_refused_with_its_name(given, environ, said):
    """The message names the setting, the value and what is allowed."""
    with pytest.raises(SettingError) as refused:
        resolve(given, environ)
    assert said in str(refused.value)
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize(
    ("option", "given", "variable", "value", "read"),
    [
        ("default_tags", ["a", "b"], "TRACIUM_DEFAULT_TAGS", "a, b,,a", ("a", "b")),
        ("default_metadata", {"team": "x"}, "TRACIUM_DEFAULT_METADATA", " team = x ", {"team": "x"}),
        ("tenant_metrics", ("gen_ai.*", "app.*"), "TRACIUM_TENANT_METRICS", "gen_ai.*,app.*", ("gen_ai.*", "app.*")),
        (
            "tenant_attributes",
            ["app.customer"],
            "TRACIUM_TENANT_ATTRIBUTES",
            "tenant.id,app.customer",
            ("app.customer",),
        ),
        (
            "sample",
            {"free-*": 0.1, "*": 1},
            "TRACIUM_SAMPLE",
            "free-*=0.1,*=1.0",
            (("free-*", 0.1), ("*", 1.0)),
        ),
        ("sample", 0.25, "TRACIUM_SAMPLE", "*=0.25", (("*", 0.25),)),
        ("capture_content", True, "TRACIUM_CAPTURE_CONTENT", "True", True),
        ("capture_content", {"acme": True, "b": True}, "TRACIUM_CAPTURE_CONTENT", "acme,b", {"acme": True, "b": True}),
        ("redact", False, "TRACIUM_REDACT", "false", False),
        ("content_limit", 100, "TRACIUM_CONTENT_LIMIT", "100", 100),
        ("logs", True, "TRACIUM_LOGS", "true", True),
    ],
)
def test_an_argument_and_its_variable_mean_the_same(option, given, variable, value, read):
    """Whatever has more than one word has commas between them in the environment."""
    assert getattr(resolve({option: given}, {}), option) == read
    assert getattr(resolve({}, {variable: value}), option) == read


def test_one_request_for_each_tenant_holds_for_every_signal():
    """Wherever the signals go, and only if it is asked for."""
    env = {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://logs.example/v1/logs"}
    for given, variables, wanted in (
        ({"split_by_tenant": True}, {}, True),
        ({}, {"TRACIUM_SPLIT_BY_TENANT": "true"}, True),
        ({}, {}, False),
    ):
        destination = resolve(given, env | variables).destination
        assert {destination.of(signal).split_by_tenant for signal in Signal} == {wanted}


def test_defaults():
    """Nothing is captured, sampled or written under other names unless somebody says so."""
    settings = resolve({}, {})
    assert (settings.capture_content, settings.redact, settings.content_limit) == (None, True, 32_768)
    assert (settings.logs, settings.metrics, settings.sample, settings.sample_errors) == (False, False, (), False)
    assert (settings.tenant_metrics, settings.metric_tenants, settings.tenant_attributes) == (("gen_ai.*",), 1000, ())


@pytest.mark.parametrize("verb", [tracium.init, tracium.trace])
def test_a_mistyped_option_is_named_with_the_nearest(verb):
    """As Python does for an argument that a function does not have."""
    with pytest.raises(TypeError, match=f"tracium.{verb.__name__}.. has no option 'sampel'. Did you mean sample="):
        verb(sampel={"*": 1})


def test_every_option_is_typed_and_described():
    """What the settings know, a type checker and `help(tracium.init)` know too."""
    assert set(Options.__annotations__) | {"api_key", "default_version"} == set(VARIABLES)
    assert [option for option in VARIABLES if f"{option}: " not in tracium.init.__doc__] == []
    assert [variables[0] for variables in VARIABLES.values() if f"`{variables[0]}`" not in tracium.init.__doc__] == []


@pytest.mark.parametrize("key", ["sk live", "sk\nlive", "sk_\u00e9", "sk\u2026"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_repeated(key):
    """A key in an error message ends up in a log."""
    with pytest.raises(SettingError) as refused:
        resolve({"api_key": key}, {})
    assert key not in str(refused.value)


def test_a_key_is_not_shown():
    """Settings end up in logs and tracebacks."""
    assert KEY not in repr(resolve({"api_key": KEY}, {}))
