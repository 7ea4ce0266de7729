"""The older SDK's redaction by the names of fields."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tracium.legacy.redaction import redact_sensitive_data


def test_fields_are_redacted_at_any_depth_and_the_original_is_left():
    """Without regard to case; everything else is as it was."""
    data = {
        "API_Key": "k",
        "user": {"Password": {"a": 1}, "name": "n"},
        "calls": [{"token": 1}, [{"secret": 2}], "token"],
        7: 8,
    }
    assert redact_sensitive_data(data) == {
        "API_Key": "***REDACTED***",
        "user": {"Password": "***REDACTED***", "name": "n"},
        "calls": [{"token": "***REDACTED***"}, [{"secret": "***REDACTED***"}], "token"],
        7: 8,
    }
    assert data["API_Key"] == "k"


def test_the_fields_can_be_named():
    """Then these alone count."""
    assert redact_sensitive_data({"Pin": 1, "token": 2}, {"pin"}) == {"Pin": "***REDACTED***", "token": 2}


@given(
    st.recursive(
        st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["token", "Token", "other"]), inner),
    )
)
def test_no_value_of_such_a_field_survives(data):
    """Wherever it stands."""

    def values(found):
        if isinstance(found, dict):
            yield from (value for name, value in found.items() if name.lower() == "token")
            for value in found.values():
                yield from values(value)
        elif isinstance(found, list):
            for value in found:
                yield from values(value)

    assert set(map(str, values(redact_sensitive_data({"data": data})))) <= {"***REDACTED***"}
