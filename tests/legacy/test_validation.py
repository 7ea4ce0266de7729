"""The older SDK's checks give the value back, tidied up, or raise."""

from __future__ import annotations

import pytest

from tracium.legacy import validation


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        ("agent_name", "  my agent-1_b.c ", "my agent-1_b.c"),
        ("trace_id", " abc-DEF_1 ", "abc-DEF_1"),
        ("span_id", " any:thing ", "any:thing"),
        ("span_type", " llm ", "llm"),
        ("name", " call ", "call"),
        ("name", "   ", None),
        ("name", None, None),
        ("tags", None, []),
        ("tags", [" a ", "A", None, "", 7, "b"], ["a", "7", "b"]),
        ("metadata", None, {}),
        ("metadata", {"k": object}, {"k": object}),
        ("error_message", KeyError("x"), "'x'"),
        ("error_message", " e " + "x" * 10_000, "e " + "x" * 9_998 + "... (truncated)"),
        ("api_key", " sk_live_01 ", "sk_live_01"),
    ],
)
def test_what_is_allowed_comes_back(check, value, expected):
    """Without spaces around it, and a container as a copy."""
    assert getattr(validation, f"validate_{check}")(value) == expected


def test_a_copy_of_metadata_is_the_callers_own():
    """What is done to it later is not done to the original."""
    metadata = {"k": 1}
    validation.validate_metadata(metadata)["k"] = 2
    assert metadata == {"k": 1}


def test_a_short_key_is_allowed_in_tests():
    """By its own switch only."""
    assert validation.validate_api_key("abc", allow_test_keys=True) == "abc"


@pytest.mark.parametrize(
    ("check", "value", "error", "said"),
    [
        ("agent_name", 7, TypeError, "agent_name must be a string, not int"),
        ("agent_name", " ", ValueError, "1 to 256 characters, not 0"),
        ("agent_name", "a" * 257, ValueError, "not 257"),
        ("agent_name", "a/b", ValueError, "dots only"),
        ("trace_id", "a b", ValueError, "underscores only"),
        ("trace_id", None, TypeError, "not NoneType"),
        ("span_id", "", ValueError, "span_id must have"),
        ("span_type", "a" * 129, ValueError, "not 129"),
        ("name", "a" * 513, ValueError, "not 513"),
        ("name", 7, TypeError, "name must be a string"),
        ("tags", "a,b", TypeError, "a list or a tuple, not str"),
        ("tags", ["a"] * 101, ValueError, "101 entries"),
        ("tags", ["a" * 129], ValueError, "A tag must have"),
        ("metadata", [("k", 1)], TypeError, "must be a dict, not list"),
        ("metadata", {1: 1}, TypeError, "must be a string, not int"),
        ("metadata", {"k" * 257: 1}, ValueError, "257 characters"),
        ("metadata", {"k": "x" * 1_000_000}, ValueError, "1000009 bytes"),
        ("api_key", "short", ValueError, "has 5 characters"),
        ("api_key", 7, TypeError, "api_key must be a string"),
    ],
)
def test_what_is_not_allowed_is_refused(check, value, error, said):
    """With the value, what is allowed, and never the key itself."""
    with pytest.raises(error, match=said) as raised:
        getattr(validation, f"validate_{check}")(value)
    assert "short" not in str(raised.value)
