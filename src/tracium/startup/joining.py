"""How a tracer provider that the app has is joined."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import SpanProcessor


def add(provider: trace.TracerProvider, processor: SpanProcessor) -> None:
    """Add a processor; some providers drop their own exporter when one is added, unless they are told not to."""
    add: Any = provider.add_span_processor  # type: ignore[attr-defined] # looked at before
    try:
        replaces = "replace_default_processor" in inspect.signature(add).parameters
    except (TypeError, ValueError):
        replaces = False
    if replaces:
        add(processor, replace_default_processor=False)
    else:
        add(processor)


def exports(provider: trace.TracerProvider) -> bool:
    """Whether a provider has any processor of its own. One that cannot be looked into is taken to export."""
    processors = _processors(provider)
    if processors is None:
        return True
    ours = "tracium."
    return any(not type(processor).__module__.startswith(ours) for processor in processors)


def has(provider: trace.TracerProvider, processor: SpanProcessor) -> bool:
    """Whether `processor` was added to a provider; False for one that cannot be looked into."""
    return processor in (_processors(provider) or ())


def _processors(provider: trace.TracerProvider) -> tuple[SpanProcessor, ...] | None:
    active: Any = getattr(provider, "_active_span_processor", None)
    processors: tuple[SpanProcessor, ...] | None = getattr(active, "_span_processors", None)
    return processors
