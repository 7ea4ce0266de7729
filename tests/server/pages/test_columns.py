"""What the waterfall is drawn from."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from tracium.server.pages.columns import Words, beginnings, columns_of

ROWS = st.lists(st.tuples(st.sampled_from(("chat", "step", "")), st.text("01", min_size=1, max_size=6)), max_size=20)


@given(ROWS)
def test_a_beginning_tells_a_span_from_others_of_its_name(spans):
    """Name and the beginning of the id lead to one id, and no shorter beginning would."""
    rows = [SimpleNamespace(name=name, span_id=span_id.ljust(6, "2")) for name, span_id in spans]

    def meant(name, beginning):
        return {row.span_id for row in rows if row.name == name and row.span_id.startswith(beginning)}

    for row, beginning in zip(rows, beginnings(rows), strict=True):
        assert meant(row.name, beginning) == {row.span_id}
        assert not beginning or len(meant(row.name, beginning[:-1])) > 1


@given(st.lists(st.sampled_from("abc")))
def test_words_are_told_once(texts):
    """What is told gives the texts back, in their order."""
    words = Words.of(texts)
    new = iter(words.texts)
    assert [words.texts[which - 1] if which else next(new) for which in words.used] == texts
    assert len(set(words.texts)) == len(words.texts)


def test_times_are_told_in_ticks():
    """Starts add up to where each span began, to the 4,000th part of the trace; errors and the place are rows."""
    spans = [("a", None, 0, 400), ("b", "a", 100, 50.26), ("c", "gone", 399.94, 0.01)]
    rows = [
        SimpleNamespace(
            span_id=span_id, parent_span_id=parent, name="chat", service="s", kind="Client", operation="chat",
            start_ms=start, duration_ms=duration, status="Error" if span_id == "b" else "Unset",
        )
        for span_id, parent, start, duration in spans
    ]  # fmt: skip
    told = columns_of([(0, rows[0]), (1, rows[1]), (0, rows[2])], "c")
    assert (told["tick"], told["start"]) == (0.1, [0, 1000, 2999])
    assert told["duration"] == [400, 50.3, 0.01]
    assert (told["errors"], told["orphans"], told["at"], told["look"]) == ([1], [2], 2, "444")
