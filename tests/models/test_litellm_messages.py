"""What was said through LiteLLM, in OpenTelemetry's form, where it may be recorded."""

from __future__ import annotations

from types import SimpleNamespace as Thing

from opentelemetry.util.genai.types import (
    BlobPart,
    FunctionToolDefinition,
    ReasoningPart,
    TextPart,
    ToolCallRequestPart,
    ToolCallResponsePart,
    UriPart,
)

from tracium.models.litellm import messages

CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
REQUESTED = ToolCallRequestPart(arguments={"city": "Paris"}, name="weather", id="c1")


def parts(found):
    return [(message.role, message.parts) for message in found]


def test_what_a_chat_asks():
    """Texts, images, calls of tools and what they gave."""
    asked = [
        {"role": "system", "content": "be kind"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "what is this?"}, {"image_url": {"url": "https://x/y.png"}}],
        },
        {"role": "user", "content": [{"image_url": "data:image/png;base64,AAAA"}, {"type": "input_audio"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "sun"},
    ]
    found = parts(messages.asked("completion", {"messages": asked}))
    assert found == [
        ("system", [TextPart("be kind")]),
        ("user", [TextPart("what is this?"), UriPart(None, "image", "https://x/y.png")]),
        ("user", [BlobPart("image/png", "image", b"\0\0\0")]),
        ("assistant", [REQUESTED]),
        ("tool", [ToolCallResponsePart("sun", "c1")]),
    ]


def test_what_the_other_interfaces_ask():
    """A text, several, or the items of the Responses interface; tokens are no text."""
    assert parts(messages.asked("text_completion", {"prompt": "on"})) == [("user", [TextPart("on")])]
    assert parts(messages.asked("text_completion", {"prompt": ["on", "off"]})) == [
        ("user", [TextPart("on")]),
        ("user", [TextPart("off")]),
    ]
    assert messages.asked("text_completion", {"prompt": [[1, 2]]}) == []
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Paris"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "sun"},
    ]
    assert parts(messages.asked("responses", {"input": items})) == [
        ("user", [TextPart("hi")]),
        ("assistant", [REQUESTED]),
        ("tool", [ToolCallResponsePart("sun", "c1")]),
    ]
    assert messages.instructions("be kind") == [TextPart("be kind")]
    assert messages.instructions(None) == []


def test_which_tools_there_are():
    """In the form of either interface."""
    schema = {"type": "object"}
    inner = {"name": "weather", "description": "tells it", "parameters": schema}
    for given in ({"type": "function", "function": inner}, {"type": "function", **inner}):
        assert messages.tools([given]) == [FunctionToolDefinition("weather", "tells it", schema)]
    assert messages.tools(None) is None


def test_what_a_whole_answer_says():
    """Of a chat, of a text completion, and of the Responses interface."""
    said = Thing(content="Hello", reasoning_content="hm", tool_calls=None)
    (found,) = messages.answered(Thing(choices=[Thing(message=said, finish_reason="stop")]))
    assert (found.parts, found.finish_reason) == ([ReasoningPart("hm"), TextPart("Hello")], "stop")
    (found,) = messages.answered(Thing(choices=[Thing(text="Hello", finish_reason="stop")]))
    assert found.parts == [TextPart("Hello")]
    items = [
        Thing(type="message", content=[Thing(type="output_text", text="Hello")]),
        Thing(type="function_call", call_id="c1", name="weather", arguments='{"city": "Paris"}'),
    ]
    (found,) = messages.answered(Thing(output=items))
    assert found.parts == [TextPart("Hello"), REQUESTED]


def test_what_the_pieces_of_a_stream_say_together():
    """Each choice's text, and the calls of tools, whose arguments come in pieces."""

    def piece(index, content=None, calls=None):
        return Thing(choices=[Thing(index=index, delta=Thing(content=content, tool_calls=calls))])

    first = Thing(index=0, id="c1", function=Thing(name="weather", arguments='{"city":'))
    second = Thing(index=0, id=None, function=Thing(name=None, arguments=' "Paris"}'))
    pieces = [
        piece(0, "Hel"),
        piece(1, "Good"),
        piece(0, "lo"),
        piece(1, calls=[first]),
        piece(1, calls=[second]),
        Thing(),
    ]
    assert [message.parts for message in messages.said(pieces)] == [
        [TextPart("Hello")],
        [TextPart("Good"), REQUESTED],
    ]
