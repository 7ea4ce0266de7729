"""Cells of a sheet: text stays text, whatever program opens it."""

from __future__ import annotations

import pytest

from tracium.server.sheet import safe_cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("  @SUM(A1)", "'  @SUM(A1)"),
        ("\n+1", "'\n+1"),
        ("＝1", "'＝1"),
        ("a;=1+1;b", "a;'=1+1;b"),
        ("a\t -1", "a\t '-1"),
        ("acme-corp", "acme-corp"),
        ("a=b", "a=b"),
    ],
)
def test_what_would_be_a_formula(text, cell):
    """It has an apostrophe before it, also where another separator would make it a cell of its own."""
    assert safe_cell(text) == cell
