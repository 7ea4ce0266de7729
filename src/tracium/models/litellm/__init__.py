"""LiteLLM: spans and metrics of its calls, which it does not make unless an app turns a callback on."""

from tracium.models.litellm.instrumentation import instrument

__all__ = ["instrument"]
