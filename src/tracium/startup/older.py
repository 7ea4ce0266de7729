"""Options of the older SDK's `init` and `trace`, as those that there are today."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tracium.exceptions import RemovedError, SettingError
from tracium.startup.client_config import TraciumClientConfig
from tracium.startup.deprecation import say_older

if TYPE_CHECKING:
    from collections.abc import Mapping

WITHOUT: Final = "without"
"""The option that the switches of instrumentations become: names of entry points that are not applied."""

_LANGCHAIN: Final = "auto_instrument_langchain"
_LANGGRAPH: Final = "auto_instrument_langgraph"
_CLIENTS: Final = "auto_instrument_llm_clients"
_SWITCHES: Final = (_LANGCHAIN, _LANGGRAPH, _CLIENTS)

# Entry points of OpenTelemetry, OpenLLMetry and OpenInference that instrument the clients of model vendors.
# botocore is not among them: it serves all of AWS, and what we add to it keeps the tenant from going there.
_MODEL_CLIENTS: Final = (
    "alephalpha",
    "anthropic",
    "bedrock",
    "cohere",
    "google-genai",
    "google_genai",
    "google_generativeai",
    "groq",
    "litellm",
    "mistralai",
    "ollama",
    "openai",
    "replicate",
    "together",
    "vertexai",
    "voyageai",
    "watsonx",
    "writer",
)
# Anthropic's client makes its spans itself from 2.12 on, unless its own variable says otherwise.
_NATIVE_SWITCH: Final = "ANTHROPIC_OPEN_TELEMETRY"


def translate(given: Mapping[str, object], verb: str) -> dict[str, object]:
    """The options that `given` means today; those that are of today stay as they are.

    Args:
        given: Options by name, as `init` or `trace` got them.
        verb: `init` or `trace`.

    Raises:
        RemovedError: An option that is gone, with a value that would have done something; the message names what to use.
        SettingError: Two options say where telemetry goes.
        TypeError: A switch is neither true nor false.
    """
    older = {name: value for name, value in given.items() if name in _OLDER and value is not None}
    options = {name: value for name, value in given.items() if name not in _OLDER}
    endpoint = _endpoint(older, options)
    if endpoint is not None:
        options["endpoint"] = endpoint
    without = _without(older, verb)
    if without:
        options[WITHOUT] = without
    _refuse_gone(older)
    return options


def _endpoint(older: Mapping[str, object], options: Mapping[str, object]) -> object:
    config, base_url = older.get("config"), older.get("base_url")
    named = [name for name in ("config", "base_url") if name in older] + ["endpoint"] * ("endpoint" in options)
    if not named or named == ["endpoint"]:
        return None
    if len(named) > 1:
        raise SettingError(
            f"{named[0]}= and {named[1]}= both say where telemetry goes: give one of them, endpoint= best."
        )
    if config is not None and not isinstance(config, TraciumClientConfig):
        raise TypeError(f"config= must be a TraciumClientConfig, not {type(config).__name__}; today it is endpoint=.")
    say_older(f"tracium's option {named[0]}= is called endpoint= now.")
    return _with_scheme(base_url if config is None else config.base_url)


def _with_scheme(url: object) -> object:
    """The older SDK took a host without a scheme too. What is no string is refused where endpoints are read."""
    return f"http://{url.strip()}" if isinstance(url, str) and url.strip() and "://" not in url else url


def _without(older: Mapping[str, object], verb: str) -> tuple[str, ...]:
    switches = {name: _truth(name, older[name]) for name in _SWITCHES if name in older}
    for name, on in switches.items():
        if on and verb == "init":
            raise RemovedError(
                f"tracium.init({name}=True): init patches no library today. Call tracium.trace() instead."
            )
    off = {name for name, on in switches.items() if not on}
    if _LANGGRAPH in off and _LANGCHAIN not in off:
        raise RemovedError(
            f"{_LANGGRAPH}=False alone is gone: LangGraph runs over LangChain's callbacks. {_LANGCHAIN}=False leaves out both."
        )
    for name in sorted(off):
        say_older(f"tracium's option {name}=False is the variable OTEL_PYTHON_DISABLED_INSTRUMENTATIONS now.")
    if _CLIENTS in off:
        os.environ.setdefault(_NATIVE_SWITCH, "false")
    return (*(("langchain",) if _LANGCHAIN in off else ()), *(_MODEL_CLIENTS if _CLIENTS in off else ()))


def _refuse_gone(older: Mapping[str, object]) -> None:
    if _truth("capture_media", older.get("capture_media", False)):
        raise RemovedError(
            "capture_media=True is gone: audio and images are never captured. capture_content=True captures prompts and "
            "answers as text."
        )
    if "transport" in older:
        raise RemovedError(
            "transport= is gone: telemetry goes out over OTLP. endpoint= and protocol= say where and how; for an exporter "
            "of your own make the OpenTelemetry tracer provider before tracium.init(), which joins it."
        )


def _truth(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name}= must be True or False, not {type(value).__name__}: {value!r:.80}.")
    return value


_OLDER: Final = frozenset({"base_url", "config", "capture_media", "transport", *_SWITCHES})
