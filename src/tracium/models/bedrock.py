"""Bedrock through botocore: whose a call is, and what it used, where OpenTelemetry's instrumentation tells it wrong.

It records the metrics of a stream when the stream is read, with the context of the reader, who may work for somebody else.
It takes what Anthropic's models count beside the input (what the cache held) for nothing, and where a model's answer has
no count, it estimates one from the length of the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import attach, get_current
from wrapt import wrap_function_wrapper

from tracium.attributes import (
    GEN_AI_CACHE_CREATION_INPUT_TOKENS,
    GEN_AI_CACHE_READ_INPUT_TOKENS,
    GEN_AI_INPUT_TOKENS,
    GEN_AI_OUTPUT_TOKENS,
)
from tracium.faults import contained
from tracium.tenancy.attachment import restore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from opentelemetry.context import Context

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

_CONTEXT: Final = "_tracium_context"
"""Attribute of what handles a call: the context of the call, with its span."""

# Bedrock's own count, in the headers of every answer of `invoke_model`:
# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
_HEADERS: Final = {
    GEN_AI_INPUT_TOKENS: "x-amzn-bedrock-input-token-count",
    GEN_AI_OUTPUT_TOKENS: "x-amzn-bedrock-output-token-count",
}
# What tells the instrumentation's estimates.
_ESTIMATING: Final = (
    "_handle_cohere_command_r_response",
    "_handle_cohere_command_response",
    "_handle_mistral_ai_response",
)
_applied: Final[set[int]] = set()


def instrument() -> None:
    """Put OpenTelemetry's instrumentation of Bedrock right, before it is applied; again changes nothing."""
    from opentelemetry.instrumentation.botocore.extensions import bedrock, bedrock_utils  # noqa: PLC0415 - tenants need it not

    if id(bedrock) in _applied:
        return
    _applied.add(id(bedrock))
    _settle_contexts(bedrock)
    _settle_counts(bedrock, bedrock_utils)


def _settle_contexts(bedrock: ModuleType) -> None:
    extension = "_BedrockRuntimeExtension"
    wrap_function_wrapper(bedrock, f"{extension}.before_service_call", _remember)
    wrap_function_wrapper(bedrock, f"{extension}._on_stream_error_callback", _in_the_call)
    wrap_function_wrapper(bedrock, f"{extension}._converse_on_success", _converse)


def _settle_counts(bedrock: ModuleType, streams: ModuleType) -> None:
    extension, stream = "_BedrockRuntimeExtension", "InvokeModelWithResponseStreamWrapper"
    wrap_function_wrapper(bedrock, f"{extension}._handle_anthropic_claude_response", _claude)
    wrap_function_wrapper(bedrock, f"{extension}._invoke_model_on_success", _invoke)
    for name in _ESTIMATING:
        wrap_function_wrapper(bedrock, f"{extension}.{name}", _without_estimate)
    bedrock.estimate_token_count = lambda _message: None  # type: ignore[attr-defined] # a module's own name
    wrap_function_wrapper(streams, f"{stream}._process_anthropic_claude_chunk", _claude_chunk)
    wrap_function_wrapper(streams, f"{stream}._process_invocation_metrics", _claude_end)


def _remember(before: Call, extension: Any, args: Args, kwargs: KwArgs) -> Any:
    """A call begins: its span is current, and whoever it is made for."""
    setattr(extension, _CONTEXT, get_current())
    return before(*args, **kwargs)


def _in_the_call(record: Call, extension: Any, args: Args, kwargs: KwArgs) -> Any:
    """Record what became of a call, in the call's own context."""
    context: Context | None = getattr(extension, _CONTEXT, None)
    if context is None:
        return record(*args, **kwargs)
    token = attach(context)
    try:
        return record(*args, **kwargs)
    finally:
        restore(token)


def _converse(record: Call, extension: Any, args: Args, kwargs: KwArgs) -> Any:
    """Record a good answer of the converse API, or a stream's, which has the same form."""
    with contained("summing the tokens of a Bedrock call"):
        span, result, *others = args
        args = (span, _with_cached(result, "inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"), *others)
    return _in_the_call(record, extension, args, kwargs)


def _claude(record: Call, _extension: object, args: Args, kwargs: KwArgs) -> Any:
    """Record a good answer of one of Anthropic's models."""
    with contained("summing the tokens of a Bedrock call"):
        span, body, *others = args
        usage = body.get("usage") or {}
        read, written = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
        if read:
            span.set_attribute(GEN_AI_CACHE_READ_INPUT_TOKENS, read)
        if written:
            span.set_attribute(GEN_AI_CACHE_CREATION_INPUT_TOKENS, written)
        whole = _with_cached(body, "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        args = (span, whole, *others)
    return record(*args, **kwargs)


def _with_cached(result: Mapping[str, Any], total: str, *cached: str) -> Mapping[str, Any]:
    """`result`, whose input has what was read from and written to the cache; the app's own object is not changed.

    Bedrock and Anthropic count them apart, and the conventions want them in the input:
    https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html,
    https://platform.claude.com/docs/en/build-with-claude/prompt-caching,
    https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/
    """
    usage = result.get("usage")
    more = 0 if not usage else sum(usage.get(name) or 0 for name in cached)
    if not usage or not more:
        return result
    return {**result, "usage": {**usage, total: (usage.get(total) or 0) + more}}


def _claude_chunk(process: Call, stream: Any, args: Args, kwargs: KwArgs) -> Any:
    """Take the counts of a stream's begin, which alone has what the cache held."""
    with contained("reading the tokens of a Bedrock stream"):
        (chunk,) = args
        if chunk.get("type") == "message_start":
            stream._self_tracium_usage = (chunk.get("message") or {}).get("usage")  # noqa: SLF001 - the proxy's own place
    return process(*args, **kwargs)


def _claude_end(process: Call, stream: Any, args: Args, kwargs: KwArgs) -> Any:
    """Add them to those of a stream's end."""
    made = process(*args, **kwargs)
    with contained("reading the tokens of a Bedrock stream"):
        begun: dict[str, Any] = getattr(stream, "_self_tracium_usage", None) or {}
        usage = stream._response["usage"]  # noqa: SLF001 - what the instrumentation is about to tell
        for name, key in (
            ("cacheReadInputTokens", "cache_read_input_tokens"),
            ("cacheWriteInputTokens", "cache_creation_input_tokens"),
        ):
            if begun.get(key):
                usage[name] = begun[key]
    return made


def _invoke(record: Call, _extension: object, args: Args, kwargs: KwArgs) -> Any:
    """Record an answer of `invoke_model`: what its body does not count is in its headers."""
    made = record(*args, **kwargs)
    with contained("reading the tokens of a Bedrock call"):
        span, result, *_ = args
        headers = (result.get("ResponseMetadata") or {}).get("HTTPHeaders") or {}
        known = getattr(span, "attributes", None)
        if known is not None:
            for attribute, header in _HEADERS.items():
                if attribute not in known and headers.get(header, "").isdecimal():
                    span.set_attribute(attribute, int(headers[header]))
    return made


def _without_estimate(record: Call, _extension: object, args: Args, kwargs: KwArgs) -> Any:
    span, *others = args
    return record(_Uncounted(span), *others, **kwargs)


class _Uncounted:
    """A span onto which nobody writes a count: what would be one is an estimate, and none since we took that away."""

    def __init__(self, span: Any) -> None:
        self._span = span

    def set_attribute(self, key: str, value: Any) -> None:
        """Write an attribute, unless it is the count."""
        if key != GEN_AI_OUTPUT_TOKENS:
            self._span.set_attribute(key, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._span, name)
