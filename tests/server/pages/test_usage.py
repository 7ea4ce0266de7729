"""The lines of a bill, page by page."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracium.server.pages.usage import lines, place_of
from tracium.server.queries import cursor
from tracium.server.queries.models import UsageExport, UsageLine

NOTHING = {field.name: 0 for field in fields(UsageLine)}
NAMES = st.tuples(
    st.sampled_from(["2026-01", "2026-02"]),
    st.none() | st.text(min_size=1, max_size=2),
    st.text(max_size=2),
    st.text(max_size=2),
)


def export(names):
    rows = [
        UsageLine(**{**NOTHING, **dict(zip(("month", "tenant", "provider", "model"), one, strict=True))})
        for one in names
    ]
    rows.sort(key=lambda row: (row.month, row.tenant is None, row.tenant or "", row.provider, row.model))
    now = datetime.now(UTC)
    return UsageExport(from_=now, to=now, timezone="UTC", rows=tuple(rows))


@given(st.lists(NAMES, unique=True, max_size=30), st.integers(1, 10))
def test_all_pages_together_are_all_lines(names, limit):
    """From one page to the next, no line is missing and none is there twice."""
    report, found, after = export(names), [], None
    while True:
        shown, after = lines(report, place_of(after), limit)
        found += shown
        if after is None:
            break
    assert tuple(found) == report.rows


@pytest.mark.parametrize("text", ["", "abc", cursor.write("2026-01"), cursor.write(1, None, "", "")])
def test_a_cursor_of_another_list(text):
    """It is refused with a sentence."""
    with pytest.raises(ValueError, match="is none of this list"):
        place_of(text)
