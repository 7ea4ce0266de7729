"""What LiteLLM gives an app for a call, of whatever interface."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tracium.models.litellm import messages
from tracium.models.litellm.usage import Usage, counts_itself, told

if TYPE_CHECKING:
    from tracium.models.litellm.request import Request

# The Responses interface has no reason why an answer ended, but what became of it.
_ENDS: Final = {"completed": "stop", "incomplete": "length", "failed": "error"}


@dataclass(slots=True)
class Answer:
    """An answer, or what is known of it.

    Attributes:
        id: As the app sees it.
        model: That answered.
        reasons: Why each of the choices ended.
        usage: As the provider told it; None if it did not.
        cached: Whether LiteLLM gave it from its cache, so that nothing was used.
        outputs: What was said, made when it may be recorded.
    """

    id: str | None = None
    model: str | None = None
    reasons: list[str] = field(default_factory=list)
    usage: Usage | None = None
    cached: bool = False
    outputs: Any = None

    def onto(self, invocation: Any, request: Request, *, captures: bool) -> None:
        """Write it."""
        invocation.response_model_name = self.model
        if request.embeds:
            if self.usage is not None and not self.cached:
                invocation.input_tokens = self.usage.input
            return
        invocation.response_id = self.id
        invocation.finish_reasons = self.reasons or None
        if self.usage is not None and not self.cached:
            invocation.input_tokens, invocation.output_tokens = self.usage.input, self.usage.output
            invocation.cache_read_input_tokens = self.usage.cache_read
            invocation.cache_write_input_tokens = self.usage.cache_write
            invocation.thinking_tokens = self.usage.reasoning
        if captures and self.outputs is not None:
            invocation.output_messages = self.outputs


def of(result: Any, request: Request, *, captures: bool) -> Answer:
    """What a whole answer says."""
    return Answer(
        id=_text(getattr(result, "id", None)),
        model=_text(getattr(result, "model", None)),
        reasons=_reasons(result),
        usage=usage_of(result, request),
        cached=is_cached(result),
        outputs=messages.answered(result) if captures and not request.embeds else None,
    )


def usage_of(result: Any, request: Request) -> Usage | None:
    """What a whole answer says that it used, if its provider said it."""
    if counts_itself(request.provider, str(request.arguments.get("model")), embedding=request.embeds):
        return None
    return told(getattr(result, "usage", None), request.provider, request.model)


def is_stream(result: Any) -> bool:
    """Whether it comes piece by piece."""
    kind = type(result)
    return hasattr(kind, "__next__") or hasattr(kind, "__anext__")


def is_cached(result: Any) -> bool:
    """Whether LiteLLM has it from its own cache."""
    if getattr(result, "custom_llm_provider", None) == "cached_response":
        return True
    hidden: Any = getattr(result, "_hidden_params", None)
    try:
        return bool(hidden.get("cache_hit"))
    except AttributeError:
        return False


def _reasons(result: Any) -> list[str]:
    choices = getattr(result, "choices", None)
    if choices is None:
        end = _ENDS.get(str(getattr(result, "status", None)))
        return [] if end is None else [end]
    found = (getattr(choice, "finish_reason", None) for choice in choices)
    return [str(reason) for reason in found if reason]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
