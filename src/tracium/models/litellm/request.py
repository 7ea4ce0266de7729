"""What an app asks LiteLLM for: of whom, which model, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import litellm

from tracium.models.litellm import messages

if TYPE_CHECKING:
    from collections.abc import Mapping

# LiteLLM's names of providers, in OpenTelemetry's words where it has one; the others stay as they are:
# https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/#gen-ai-provider-name
_PROVIDERS: Final = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure_text": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "bedrock_mantle": "aws.bedrock",
    "codestral": "mistral_ai",
    "cohere_chat": "cohere",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "text-completion-codestral": "mistral_ai",
    "text-completion-openai": "openai",
    "watsonx": "ibm.watsonx.ai",
    "watsonx_text": "ibm.watsonx.ai",
    "xai": "x_ai",
}
_UNKNOWN: Final = "litellm"


@dataclass(frozen=True, slots=True)
class Request:
    """One call's arguments.

    Attributes:
        function: LiteLLM's synchronous function: `completion`, `text_completion`, `responses` or `embedding`.
        model: Without the provider.
        provider: In LiteLLM's words.
        arguments: What the app gave, by name.
    """

    function: str
    model: str
    provider: str
    arguments: Mapping[str, Any]

    @classmethod
    def of(cls, function: str, first: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
        """The request that a call of `function` makes, whose first arguments have the names `first`."""
        arguments = {**dict(zip(first, args, strict=False)), **kwargs}
        given = arguments.get("model")
        model, provider = _settled(given, arguments) if isinstance(given, str) and given else ("", _UNKNOWN)
        return cls(function, model, provider, arguments)

    @property
    def embeds(self) -> bool:
        """Whether it asks for embeddings."""
        return self.function == "embedding"

    def begin(self, handler: Any, context: Any) -> Any:
        """Begin to record it: the span is current from here on."""
        address, port = self._server()
        where: dict[str, Any] = {
            "request_model": self.model or None,
            "server_address": address,
            "server_port": port,
            "context": context,
        }
        provider = _PROVIDERS.get(self.provider)
        if provider is None:
            provider = "gcp.vertex_ai" if self.provider.startswith("vertex_ai") else self.provider
        if self.embeds:
            return handler.embedding(provider, **where)
        operation = "text_completion" if self.function == "text_completion" else "chat"
        return handler.inference(provider, operation_name=operation, **where)

    def onto(self, invocation: Any, *, captures: bool) -> None:
        """Write how the model was asked."""
        asked = self.arguments.get
        if self.embeds:
            formats = asked("encoding_format")
            invocation.encoding_formats = [formats] if isinstance(formats, str) else None
            invocation.dimension_count = _number(asked("dimensions"))
            return
        invocation.temperature = _number(asked("temperature"))
        invocation.top_p = _number(asked("top_p"))
        invocation.frequency_penalty = _number(asked("frequency_penalty"))
        invocation.presence_penalty = _number(asked("presence_penalty"))
        invocation.seed = _number(asked("seed"))
        limits = (asked("max_completion_tokens"), asked("max_tokens"), asked("max_output_tokens"))
        invocation.max_tokens = next((limit for limit in map(_number, limits) if limit is not None), None)
        stop = asked("stop")
        invocation.stop_sequences = [stop] if isinstance(stop, str) else stop if _all_text(stop) else None
        choices = _number(asked("n"))
        invocation.request_choice_count = choices if choices != 1 else None
        if asked("stream"):
            invocation.request_stream = True
        if captures:
            invocation.input_messages = messages.asked(self.function, self.arguments)
            invocation.system_instruction = messages.instructions(asked("instructions"))
            invocation.tool_definitions = messages.tools(asked("tools"))

    def _server(self) -> tuple[str | None, int | None]:
        url = self.arguments.get("api_base") or self.arguments.get("base_url")
        if not isinstance(url, str):
            return None, None
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return None, None
        return parts.hostname, port


def _settled(model: str, arguments: Mapping[str, Any]) -> tuple[str, str]:
    """The model and its provider, by LiteLLM's own rules; what they refuse is refused by the call itself."""
    named = arguments.get("custom_llm_provider")
    prefix, slash, rest = model.partition("/")
    if isinstance(named, str) and named:
        return (rest if slash and prefix == named else model), named
    if slash and prefix in litellm.provider_list:
        # The rules begin with this one; the others may look for keys, and print what they do not find.
        return rest, prefix
    try:
        settled, provider, *_ = litellm.get_llm_provider(
            model=model, api_base=arguments.get("api_base") or arguments.get("base_url")
        )
    except Exception:  # noqa: BLE001 - LiteLLM knows no provider, which it tells the app itself
        return model, _UNKNOWN
    return settled, provider


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _all_text(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
