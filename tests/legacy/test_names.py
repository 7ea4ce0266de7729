"""Every public name and option of tracium 1.5.10 works with its old meaning, or says what is there instead."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest

import tracium
from tracium.exceptions import RemovedError, SettingError
from tracium.legacy.names import OLDER_NAMES, older
from tracium.startup.client_config import TraciumClientConfig
from tracium.startup.older import WITHOUT, translate

# `tracium.__all__` of 1.5.10.
NAMES = [
    "init",
    "trace",
    "get_client",
    "get_queue_stats",
    "start_trace",
    "agent_trace",
    "current_trace",
    "set_tenant",
    "get_current_tenant",
    "TraciumClient",
    "AgentTraceHandle",
    "AgentTraceManager",
    "TraciumClientConfig",
    "agent_span",
    "span",
    "run_in_thread",
    "with_context",
    "ContextThread",
    "get_current_trace_context",
    "with_trace_context",
    "wrap_wsgi_app",
    "__version__",
    "configure_logging",
    "get_logger",
    "redact_sensitive_data",
    "RetryConfig",
    "retry_with_backoff",
    "validate_agent_name",
    "validate_api_key",
    "validate_error_message",
    "validate_metadata",
    "validate_name",
    "validate_trace_id",
    "validate_span_id",
    "validate_span_type",
    "validate_tags",
]
GONE = {"RetryConfig", "retry_with_backoff"}

# The options of its `init`, a value, and what they are today.
OPTIONS = {
    "api_key": ("sk_live_0123456789", {"api_key": "sk_live_0123456789"}),
    "base_url": ("http://localhost:4318", {"endpoint": "http://localhost:4318"}),
    "config": (TraciumClientConfig("http://localhost:4318"), {"endpoint": "http://localhost:4318"}),
    "default_agent_name": ("helper", {"default_agent_name": "helper"}),
    "default_model_id": ("gpt-4o", {"default_model_id": "gpt-4o"}),
    "default_version": ("1.2", {"default_version": "1.2"}),
    "workspace_id": ("ws", {"workspace_id": "ws"}),
    "default_tags": (["a"], {"default_tags": ["a"]}),
    "default_metadata": ({"k": 1}, {"default_metadata": {"k": 1}}),
    "auto_instrument_langchain": (True, {}),
    "auto_instrument_langgraph": (True, {}),
    "auto_instrument_llm_clients": (True, {}),
    "capture_media": (False, {}),
    "transport": (None, {}),
}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there(name):
    """As an attribute and by `from tracium import`, and one that is gone says so when it is called."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scope = {}
        exec(f"from tracium import {name}", scope)
        found = scope[name]
        assert found is getattr(tracium, name)
    assert found is not None
    if name in GONE:
        with pytest.raises(RemovedError, match="stamina"):
            found(lambda: None)


def test_the_list_of_older_names_has_no_others():
    """What `tracium` itself has needs no entry."""
    assert set(OLDER_NAMES) <= set(NAMES)
    assert set(NAMES) <= set(OLDER_NAMES) | set(tracium.__all__)


@pytest.mark.parametrize("name", sorted(OLDER_NAMES))
def test_a_name_says_what_to_use_today_where_it_is_used(name):
    """By a warning that points to the user's line."""
    present = OLDER_NAMES[name].present
    if present is None:
        assert older(name) is not None
        return
    with pytest.warns(DeprecationWarning, match=f"tracium.{name} ") as warned:
        older(name)
    assert [(warning.filename, present in str(warning.message)) for warning in warned] == [(__file__, True)]


def test_an_import_statement_is_what_the_warning_points_to(tmp_path):
    """Not Python's own import machinery between."""
    script = tmp_path / "script.py"
    script.write_text("import tracium\nfrom tracium import with_context\nassert tracium.with_context is with_context\n")
    ended = subprocess.run(
        [sys.executable, "-W", "always::DeprecationWarning", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ended.stderr.count("DeprecationWarning") == 1
    assert f"{script}:2: DeprecationWarning: tracium.with_context is of tracium's older SDK" in ended.stderr


def test_what_never_was_is_no_attribute():
    """As Python says it."""
    with pytest.raises(AttributeError, match="module 'tracium' has no attribute 'nonsense'"):
        older("nonsense")


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_every_option_is_understood(name):
    """Those that are called otherwise today say so."""
    value, today = OPTIONS[name]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert translate({name: value}, "trace") == today
    assert bool(warned) is (name in {"base_url", "config"})


def test_what_is_of_today_stays_as_it_is():
    """Also beside older options, and None is as good as not given."""
    given = {"endpoint": "http://localhost:1", "logs": True, "service_name": None, "base_url": None, "config": None}
    assert translate(given, "init") == {"endpoint": "http://localhost:1", "logs": True, "service_name": None}


def test_a_host_without_a_scheme_is_an_endpoint():
    """The older SDK took it."""
    with pytest.deprecated_call():
        assert translate({"base_url": "localhost:8000"}, "init") == {"endpoint": "http://localhost:8000"}


@pytest.mark.parametrize(
    ("off", "names"),
    [
        ({"langchain"}, {"langchain"}),
        ({"langchain", "langgraph"}, {"langchain"}),
        ({"llm_clients"}, {"openai", "anthropic", "google-genai"}),
        ({"langchain", "llm_clients"}, {"langchain", "openai", "anthropic", "google-genai"}),
    ],
)
def test_instrumentations_that_are_turned_off(off, names, monkeypatch):
    """They become names of entry points; a client that makes its spans itself is told by its own variable."""
    monkeypatch.setenv("ANTHROPIC_OPEN_TELEMETRY", "")
    monkeypatch.delenv("ANTHROPIC_OPEN_TELEMETRY")
    with pytest.deprecated_call():
        without = set(translate({f"auto_instrument_{name}": False for name in off}, "trace")[WITHOUT])
    assert names <= without
    assert ("langchain" in without) is ("langchain" in off)
    assert ("openai" in without) is ("llm_clients" in off)
    assert "botocore" not in without


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"transport": object()}, RemovedError, "endpoint= and protocol="),
        ({"capture_media": True}, RemovedError, "capture_content=True"),
        ({"capture_media": "yes"}, TypeError, "capture_media= must be True or False, not str"),
        ({"auto_instrument_langchain": 1}, TypeError, "must be True or False, not int"),
        ({"auto_instrument_langgraph": False}, RemovedError, "auto_instrument_langchain=False leaves out both"),
        ({"auto_instrument_llm_clients": True}, RemovedError, "tracium.trace\\(\\)"),
        ({"config": "http://localhost"}, TypeError, "must be a TraciumClientConfig, not str"),
        ({"config": TraciumClientConfig(), "base_url": "http://localhost"}, SettingError, "config= and base_url="),
        ({"base_url": "http://a", "endpoint": "http://b"}, SettingError, "base_url= and endpoint="),
    ],
)
def test_an_option_that_cannot_be_kept_is_refused(given, error, said):
    """In a sentence that names what to use."""
    with pytest.raises(error, match=said):
        translate(given, "init")


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"timeout": 3.0}, RemovedError, "OTEL_EXPORTER_OTLP_TIMEOUT"),
        ({"user_agent": "mine"}, RemovedError, "service_name"),
        ({"retry_config": object()}, RemovedError, "retries by itself"),
        ({"fail_open": False}, RemovedError, "cannot be turned off"),
        ({"security_config": object()}, RemovedError, "redact="),
        ({"max_queue_size": 5}, RemovedError, "OTEL_BSP_MAX_QUEUE_SIZE"),
        ({"block_on_full_queue": True}, RemovedError, "OTEL_BSP_MAX_QUEUE_SIZE"),
        ({"queue_warning_threshold": 0.5}, RemovedError, "tracium.report"),
        ({"queue_timeout": 1.0}, RemovedError, "flush_timeout"),
        ({"nonsense": 1}, TypeError, "no option 'nonsense'"),
    ],
)
def test_an_option_of_the_config_that_is_gone_is_refused(given, error, said):
    """Where the config is made; its older default is no reason to refuse it."""
    with pytest.raises(error, match=said):
        TraciumClientConfig(**given)


def test_the_config_of_the_older_defaults():
    """It sends to the Tracium backend."""
    config = TraciumClientConfig(timeout=10.0, fail_open=True, block_on_full_queue=False)
    assert repr(config) == "TraciumClientConfig(base_url='https://api.tracium.ai')"
    assert config.timeout == 10.0


def test_arguments_have_their_older_names_and_places():
    """Not only the functions have theirs."""
    tracium.set_tenant(tenant_id="acme")
    assert tracium.get_current_tenant() == "acme"
    config = tracium.TraciumClientConfig("http://localhost:4318", 10.0)
    assert (config.base_url, config.timeout, config.fail_open) == ("http://localhost:4318", 10.0, True)
    with pytest.raises(RemovedError, match="OTEL_EXPORTER_OTLP_TIMEOUT"):
        tracium.TraciumClientConfig("http://localhost:4318", 3)


def test_a_run_that_is_made_by_hand_is_a_run():
    """As the older SDK's own was made; and every run passes for one."""
    client = tracium.get_client
    with tracium.AgentTraceManager(
        client, agent_name="shop", model_id="m", metadata=None, tags=["a"], trace_id=None
    ) as run:
        assert isinstance(run, tracium.AgentTrace)
        assert isinstance(run, tracium.AgentTraceManager)
    assert not isinstance("run", tracium.AgentTraceManager)
    with pytest.raises(RemovedError, match="start_trace"):
        tracium.AgentTraceManager(client, agent_name="shop", lazy_start=True)
