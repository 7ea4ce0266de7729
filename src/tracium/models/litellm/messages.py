"""What was said to a model and by it, in the form of the conventions; only where it may be recorded.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.util.genai.types import (
    FunctionToolDefinition,
    InputMessage,
    OutputMessage,
    ReasoningPart,
    TextPart,
    ToolCallRequestPart,
    ToolCallResponsePart,
)
from opentelemetry.util.genai.utils import image_from_url, tool_arguments_to_any_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.util.genai.types import MessagePart


def asked(function: str, arguments: Mapping[str, Any]) -> list[InputMessage]:
    """What the model is asked."""
    if function == "completion":
        return [_message(each) for each in arguments.get("messages") or ()]
    given = arguments.get("input" if function == "responses" else "prompt")
    if isinstance(given, str):
        return [InputMessage(role="user", parts=[TextPart(content=given)])]
    return [_message(each) for each in given or () if not isinstance(each, int | list)]


def instructions(given: Any) -> list[MessagePart]:
    """The instructions beside the input."""
    return [TextPart(content=given)] if isinstance(given, str) and given else []


def tools(given: Any) -> list[FunctionToolDefinition] | None:
    """The tools that the model may call."""
    found = []
    for each in given or ():
        function = _get(each, "function") or each
        name = _get(function, "name")
        if isinstance(name, str):
            found.append(FunctionToolDefinition(name, _get(function, "description"), _get(function, "parameters")))
    return found or None


def answered(result: Any) -> list[OutputMessage]:
    """What a whole answer says."""
    choices = getattr(result, "choices", None)
    if choices is None:
        parts = [part for item in getattr(result, "output", None) or () for part in _item(item)]
        return [OutputMessage(role="assistant", parts=parts)] if parts else []
    return [_choice(getattr(each, "message", None) or each, _get(each, "finish_reason")) for each in choices]


def said(pieces: Iterable[Any]) -> list[OutputMessage]:
    """What the pieces of a stream say together."""
    texts: dict[int, list[str]] = {}
    calls: dict[int, dict[int, dict[str, Any]]] = {}
    for piece in pieces:
        for choice in getattr(piece, "choices", None) or ():
            index = _get(choice, "index") or 0
            delta = _get(choice, "delta")
            texts.setdefault(index, []).append(_get(delta, "content") or "")
            for each in _get(delta, "tool_calls") or ():
                _join(calls.setdefault(index, {}).setdefault(_get(each, "index") or 0, {}), each)
    return [_joined("".join(texts[index]), calls.get(index, {})) for index in sorted(texts)]


def _join(call: dict[str, Any], piece: Any) -> None:
    function = _get(piece, "function")
    call["id"] = call.get("id") or _get(piece, "id")
    call["name"] = call.get("name") or _get(function, "name")
    call["arguments"] = call.get("arguments", "") + (_get(function, "arguments") or "")


def _joined(text: str, calls: Mapping[int, Mapping[str, Any]]) -> OutputMessage:
    parts: list[MessagePart] = [TextPart(content=text)] if text else []
    parts += [_call(call["id"], call["name"], call["arguments"]) for _, call in sorted(calls.items())]
    return OutputMessage(role="assistant", parts=parts)


def _message(given: Any) -> InputMessage:
    if isinstance(given, str):
        return InputMessage(role="user", parts=[TextPart(content=given)])
    role = str(_get(given, "role") or ("tool" if _get(given, "output") is not None else "user"))
    if role == "tool":
        response = _get(given, "content") if _get(given, "output") is None else _get(given, "output")
        identity = _get(given, "tool_call_id") or _get(given, "call_id")
        return InputMessage(role=role, parts=[ToolCallResponsePart(response=response, id=identity)])
    if _get(given, "type") == "function_call":
        return InputMessage(role="assistant", parts=_item(given))
    return InputMessage(role=role, parts=_parts(given))


def _choice(message: Any, reason: Any) -> OutputMessage:
    return OutputMessage(role="assistant", parts=_parts(message), finish_reason=reason)


def _parts(message: Any) -> list[MessagePart]:
    parts: list[MessagePart] = []
    reasoning = _get(message, "reasoning_content")
    if isinstance(reasoning, str) and reasoning:
        parts.append(ReasoningPart(content=reasoning))
    content = _get(message, "content")
    content = _get(message, "text") if content is None else content
    parts += _content(content)
    for each in _get(message, "tool_calls") or ():
        function = _get(each, "function")
        parts.append(_call(_get(each, "id"), _get(function, "name"), _get(function, "arguments")))
    return parts


def _content(content: Any) -> list[MessagePart]:
    if isinstance(content, str):
        return [TextPart(content=content)] if content else []
    parts: list[MessagePart] = []
    for each in content or ():
        text, image = _get(each, "text"), _get(each, "image_url")
        url = image if isinstance(image, str) else _get(image, "url")
        if isinstance(text, str):
            parts.append(TextPart(content=text))
        elif isinstance(url, str):
            seen = image_from_url(url)
            parts += [] if seen is None else [seen]
    return parts


def _item(item: Any) -> list[MessagePart]:
    """A piece of what the Responses interface gives."""
    if _get(item, "type") == "function_call":
        return [_call(_get(item, "call_id"), _get(item, "name"), _get(item, "arguments"))]
    return _content(_get(item, "content"))


def _call(identity: Any, name: Any, arguments: Any) -> ToolCallRequestPart:
    return ToolCallRequestPart(arguments=tool_arguments_to_any_value(arguments), name=str(name), id=identity)


def _get(thing: Any, name: str) -> Any:
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)
