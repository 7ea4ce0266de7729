"""Spans in the order of a waterfall."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from tracium.server.pages.spantree import nested


def span(span_id, parent=None, start=0.0):
    return SimpleNamespace(span_id=span_id, parent_span_id=parent, start_ms=start)


def test_children_follow_their_parent_by_start():
    """A tree is read from the top, brothers in the order in which they began."""
    rows = [span("c", "a", 3), span("b", "a", 1), span("a"), span("d", "b", 2)]
    assert [(depth, row.span_id) for depth, row in nested(rows)] == [(0, "a"), (1, "b"), (2, "d"), (1, "c")]


def test_a_span_without_its_parent_begins_a_tree():
    """What hangs on nothing that is here is not left out."""
    assert [(depth, row.span_id) for depth, row in nested([span("x", "gone"), span("y", "x")])] == [(0, "x"), (1, "y")]


@given(st.lists(st.tuples(st.integers(0, 8), st.one_of(st.none(), st.integers(0, 9)), st.floats(0, 9)), max_size=20))
def test_every_span_is_there_once(spans):
    """Whatever senders say of parents, circles and ids that come twice included, each span has one row."""
    rows = [span(str(own), None if parent is None else str(parent), start) for own, parent, start in spans]
    assert sorted(map(id, (row for _, row in nested(rows)))) == sorted(map(id, rows))
