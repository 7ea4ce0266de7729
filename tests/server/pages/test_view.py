"""What a page shows is what its URL says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from tracium.server.pages.period import PRESETS
from tracium.server.pages.view import View

NOW = datetime(2026, 3, 29, 12, 7, 3, tzinfo=UTC)


def read(query, *own):
    return View.read("/traces", QueryParams(query), NOW, own)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_made_of_whole_quarters_of_an_hour(preset):
    """It ends with the current one, and reaches back at least as far as it says."""
    period = read({"range": preset}).period
    assert period.range.end == datetime(2026, 3, 29, 12, 15, tzinfo=UTC)
    assert (period.range.start.minute % 15, period.range.start.second) == (0, 0)
    assert period.range.start <= NOW - timedelta(minutes=15)


def test_a_month_begins_where_the_reader_is():
    """Berlin's March began an hour before London's."""
    period = read({"range": "month", "tz": "Europe/Berlin"}).period
    assert period.range.start == datetime(2026, 2, 28, 23, tzinfo=UTC)


def test_what_is_typed_is_on_the_readers_clock():
    """A moment without an offset is one of the time zone, summer time included; one with an offset is itself."""
    period = read({"from": "2026-03-29T01:00", "to": "2026-03-29T04:00+02:00", "tz": "Europe/Berlin"}).period
    assert period.range.length == timedelta(hours=2)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"range": "soon"}, "range='soon' is no range of time"),
        ({"from": "2026-01-01"}, "from and to go together"),
        ({"from": "yesterday", "to": "2026-01-01"}, "from='yesterday' is no time"),
        ({"from": "2026-01-02", "to": "2026-01-01"}, "ends after it starts"),
        ({"from": "2026-01-01", "to": "2026-01-01"}, "the same moment"),
        ({"from": "1990-01-01", "to": "2026-01-01"}, "at most 800 days"),
        ({"from": "0001-01-01", "to": "0002-01-01"}, "between 1970 and 2105"),
        ({"tz": "Mars/Olympus"}, "is no time zone"),
        ({"tz": "../../etc/passwd"}, "is no time zone"),
        ({"live": "maybe"}, "neither true nor false"),
        ({"teant": "acme"}, "this page knows no 'teant'"),
        ({"tenant": "x" * 2000}, "more than 1024 characters"),
    ],
)
def test_what_it_does_not_understand(query, sentence):
    """A URL with something unknown is refused with a sentence."""
    with pytest.raises(ValueError, match=sentence):
        read(query)


_TEXT = st.text(min_size=1, max_size=20)


@given(tenants=st.lists(_TEXT, max_size=3, unique=True), environment=_TEXT, text=_TEXT)
def test_links_keep_what_is_shown(tenants, environment, text):
    """Whatever names hold, another page's URL has the same tenants and environment, and not this page's own filters."""
    view = read(
        QueryParams([("tenant", one) for one in tenants] + [("environment", environment), ("text", text)]), "text"
    )
    link = view.link("/errors", live="true")
    again = View.read("/errors", QueryParams(urlsplit(link).query), NOW)
    assert (again.tenants, again.environment, again.live) == (tuple(tenants), environment, True)


def test_a_preset_takes_the_place_of_typed_moments():
    """Choosing a preset forgets from and to, and every change gives the place in a list up."""
    view = read({"from": "2026-01-01", "to": "2026-01-02", "cursor": "abc", "text": "x"}, "cursor", "text")
    assert dict(parse_qsl(urlsplit(view.here(range="7d")).query)) == {"text": "x", "range": "7d"}
