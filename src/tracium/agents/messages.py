"""What goes to a model and comes from it, in the conventions' form of messages.

Apps record strings, chat messages as providers take them (OpenAI's and Anthropic's shapes), or messages in the
conventions' own form: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

import json
from typing import Any, Final

from tracium.agents.encoding import as_json, as_text, plain

_Message = dict[str, Any]
_Part = dict[str, Any]

_SYSTEM: Final = ("system", "system_instruction")
_REQUEST: Final = frozenset({"messages", *_SYSTEM})
# Keys of a provider's message that have a place of their own in the conventions' form.
_PLACED: Final = frozenset({"role", "content", "tool_calls", "tool_call_id", "parts"})
_TEXTS: Final = frozenset({"text", "input_text", "output_text"})


def messages(data: object, role: str) -> list[_Message]:
    """Everything that `data` holds as messages; what is none is the text of one message of `role`."""
    value = plain(data)
    if (
        isinstance(value, dict)
        and "messages" in value
        and isinstance(value["messages"], list)
        and value.keys() <= _REQUEST
    ):
        system = [_text_message("system", value[key]) for key in _SYSTEM if value.get(key) is not None]
        return system + [_message(one, role) for one in value["messages"]]
    if _is_message(value):
        return [_message(value, role)]
    if isinstance(value, list) and value and all(map(_is_message, value)):
        return [_message(one, role) for one in value]
    return [_text_message(role, value)]


def tool_call_parts(calls: object) -> list[_Part]:
    """Calls of tools that a model asked for, as parts of its message."""
    value = plain(calls)
    return [_tool_call(call) for call in (value if isinstance(value, list) else [value])]


def with_parts(written: list[_Message], parts: list[_Part]) -> list[_Message]:
    """The messages `written`, the last of which has `parts` too."""
    if not parts:
        return written
    if not written:
        return [{"role": "assistant", "parts": parts}]
    *before, last = written
    return [*before, {**last, "parts": [*last["parts"], *parts]}]


def documents(data: object) -> str:
    """What a retrieval found, as JSON: a list of objects."""
    value = plain(data)
    found = value if isinstance(value, list) else [value]
    return as_json([one if isinstance(one, dict) else {"content": one} for one in found])


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str) and bool(value.keys() & {"content", "parts"})


def _message(value: Any, role: str) -> _Message:
    if not _is_message(value):
        return _text_message(role, value)
    message: _Message = {"role": value["role"], "parts": _parts(value)}
    # Providers' objects name a lot that they do not use.
    message.update({key: one for key, one in value.items() if key not in _PLACED and one not in (None, [], {})})
    return message


def _parts(message: _Message) -> list[_Part]:
    if isinstance(message.get("parts"), list):
        return [_part(one) for one in message["parts"]]
    content = message.get("content")
    if "tool_call_id" in message:
        return [{"type": "tool_call_response", "id": message["tool_call_id"], "response": content}]
    contents = content if isinstance(content, list) else [] if content is None else [content]
    return [_part(one) for one in contents] + [_tool_call(call) for call in message.get("tool_calls") or ()]


def _part(value: Any) -> _Part:
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        return {"type": "text", "content": as_text(value)}
    part: _Part = value
    if kind in _TEXTS and isinstance(part.get("text"), str):
        return {**{key: one for key, one in part.items() if key != "text"}, "type": "text", "content": part["text"]}
    if kind == "tool_use":
        return _tool_call(part)
    if kind == "tool_result":
        return {"type": "tool_call_response", "id": part.get("tool_use_id"), "response": part.get("content")}
    return part


def _tool_call(call: Any) -> _Part:
    """One call in any provider's shape."""
    if not isinstance(call, dict):
        return {"type": "tool_call", "name": as_text(call)}
    inside = call.get("function")
    function: dict[str, Any] = inside if isinstance(inside, dict) else call
    arguments = function.get("arguments", function.get("input", function.get("args")))
    if isinstance(arguments, str):
        arguments = _parsed(arguments)
    return {"type": "tool_call", "id": call.get("id"), "name": function.get("name"), "arguments": arguments}


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        # A model may write what is no JSON.
        return arguments


def _text_message(role: str, content: Any) -> _Message:
    parts = [_part(one) for one in content] if _is_parts(content) else [{"type": "text", "content": as_text(content)}]
    return {"role": role, "parts": parts}


def _is_parts(content: object) -> bool:
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(one, dict) and isinstance(one.get("type"), str) for one in content)
    )
