"""Numbers as people read them, without a word more than is known."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace

import pytest

from tracium.server.pages import formatting, sparkline
from tracium.server.pages.formatting import change, compact, count, duration, moment, money, share


def text(markup):
    return markup.striptags()


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0"),
        ("1234.5", "$1,234.50"),
        ("0.5", "$0.50"),
        ("0.0123", "$0.012"),
        ("0.000042", "$0.000042"),
        ("0.0000001", "< $0.000001"),
    ],
)
def test_money_is_as_precise_as_it_says_something(amount, shown):
    """Cents above a dollar, two digits that count below."""
    assert text(money(Decimal(amount))) == shown


def test_money_that_is_not_known():
    """A part without a price makes a lower bound, all without one no amount, and a hidden one nothing."""
    assert text(money(Decimal(2), 1, 5)) == "≥ $2.00"
    assert text(money(Decimal(0), 5, 5)) == "unpriced"
    assert text(money(None)) == "–"


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"cost": Decimal(1), "model_calls": 2, "unpriced_calls": 0, "unknown_usage": 1}, "≥ $1.00"),
        ({"cost": Decimal(0), "model_calls": 2, "unpriced_calls": 2, "unknown_usage": 0}, "unpriced"),
        ({"cost": None, "model_calls": 2, "unpriced_calls": 0, "unknown_usage": 2}, "unknown"),
        ({"cost": None, "model_calls": 2, "unpriced_calls": None, "unknown_usage": 0}, "–"),
        ({"cost": Decimal(3), "model_calls": 2, "unpriced_calls": 0, "unknown_usage": 0}, "$3.00"),
    ],
)
def test_cost_of_a_row(row, shown):
    """Unknown usage and missing prices are told apart from nothing spent."""
    assert text(formatting.cost(SimpleNamespace(**row))) == shown


def test_numbers():
    """All digits, or three and a scale; what is unknown is not zero, and a lower bound says so."""
    assert text(count(1234567)) == "1,234,567"
    assert [text(compact(one)) for one in (0, 999, 1234, 999_600, 1_250_000, 2e9)] == ["0", "999", "1.23K", "1M", "1.25M", "2B"]  # fmt: skip
    assert text(count(None)) == "unknown"
    assert text(compact(5, at_least=True)) == "≥ 5"
    assert [text(share(one)) for one in (0, 0.0004, 0.0123, 0.5, None)] == ["0.0 %", "< 0.1 %", "1.2 %", "50 %", "–"]
    assert [text(duration(one)) for one in (0, 0.25, 12, 1500, 90_000, 7_200_000, None)] == [
        "0 ms", "250 µs", "12 ms", "1.50 s", "1.5 min", "2.0 h", "–",
    ]  # fmt: skip


def test_changes():
    """More is worse only where it is, and nothing before is no percentage."""
    assert "worse" in change(3, 2, worse="up")
    assert "better" in change(2, 3, worse="up")
    assert "worse" not in change(3, 2)
    assert text(change(3, 0)) == "new"
    assert text(change(300, 10)).startswith("▲ × 30.0")
    assert text(change(1000, 1001)) == "as before"
    assert change(None, 1) == ""


def test_a_moment_is_readable_and_exact():
    """What stands there is UTC, what the element carries has every digit that Python keeps."""
    shown = moment("2026-01-31T12:00:00.123456789Z")
    assert text(shown) == "2026-01-31 12:00 UTC"
    assert 'datetime="2026-01-31T12:00:00.123456Z"' in shown


def test_values_are_escaped():
    """What comes from outside stands in markup as text."""
    assert "<script>" not in sparkline.line([1, 2], title='"><script>')


def test_a_line_has_gaps_where_nothing_is_known():
    """An unknown value is no point, and one that stands alone is still seen."""
    path = sparkline.line([1, None, 2, 3, None])
    assert path.count("M") == 2
    assert "h1" in path
    assert sparkline.line([None, None]) == ""


@pytest.mark.parametrize(("errors", "of", "bad"), [(0, 0, False), (1, 1000, False), (1, 20, True)])
def test_some_errors_are_no_alarm(errors, of, bad):
    """One request in twenty is: where everything is red, nothing is."""
    assert formatting.is_bad(formatting.ratio(errors, of)) is bad
