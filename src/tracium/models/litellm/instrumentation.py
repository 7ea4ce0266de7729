"""LiteLLM's functions, wherever an app or LiteLLM itself holds them."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from tracium.exceptions import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import MeterProvider

    from tracium.models.litellm.tracing import CallTracer

# What calls a model, and the names of its first arguments. The asynchronous ones have the same names after an "a".
_FUNCTIONS: Final = {
    "completion": ("model", "messages"),
    "text_completion": ("prompt", "model"),
    "responses": ("input", "model"),
    "embedding": ("model", "input"),
}
# The modules that have functions of their own under these names: LiteLLM's own code and apps call both.
_MODULES: Final = ("litellm", "litellm.main", "litellm.responses.main")
_LOGGING: Final = "litellm.litellm_core_utils.litellm_logging"


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Let every call of a model make a span and metrics; again changes nothing.

    A module may have imported a function before (`from litellm import completion`): it gets the one that makes spans too.

    Args:
        meter_provider: Where the metrics go; the global one unless given.

    Raises:
        MissingExtraError: OpenTelemetry's library for GenAI instrumentations is not installed.
        RuntimeError: LiteLLM has not the functions that it is known to have.
    """
    try:
        from tracium.models.litellm import callbacks, tracing  # noqa: PLC0415 - they need what may not be installed
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry.util"):
            raise
        raise MissingExtraError(
            'litellm is instrumented with opentelemetry-util-genai, which is not installed: pip install "tracium[litellm]"'
        ) from error
    held = {name: [f for f in _held(name) if f is not None] for name in _names()}
    missing = [name for name, functions in held.items() if not functions]
    if missing:
        raise RuntimeError(
            f"litellm {metadata.version('litellm')} has no {', no '.join(missing)}: this release is not known to tracium. "
            "Install one that is (see docs/genai.md), or a newer tracium."
        )
    tracer = tracing.CallTracer(meter_provider)
    new = [(name, f) for name, functions in held.items() for f in functions if not hasattr(f, tracer.MARK)]
    if new:
        _replace({id(function): (function, _around(tracer, name, function)) for name, function in new})
        callbacks.keep_apart(sys.modules[_LOGGING])


def _names() -> list[str]:
    return [prefix + name for name in _FUNCTIONS for prefix in ("", "a")]


def _held(name: str) -> list[Any]:
    return [getattr(sys.modules.get(module), name, None) for module in _MODULES]


def _around(tracer: CallTracer, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    if name in _FUNCTIONS:
        return tracer.around(function, name, _FUNCTIONS[name])
    return tracer.around_async(function, name[1:], _FUNCTIONS[name[1:]])


def _replace(replaced: dict[int, tuple[Any, Callable[..., Any]]]) -> None:
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", None)
        if not isinstance(names, dict):
            continue
        for name, value in list(names.items()):
            known = replaced.get(id(value))
            if known is not None and known[0] is value:
                names[name] = known[1]
