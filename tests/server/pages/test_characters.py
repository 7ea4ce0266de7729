"""No name hides a character, and none moves what stands beside it."""

from __future__ import annotations

import html
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracium.server.pages.characters import hides, name, text, visible


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("gl\u200bobex", "gl⟨U+200B⟩obex"),
        ("acme\u202eproc-evil", "acme⟨U+202E⟩proc-evil"),
        ("\u2067acme\u2069", "⟨U+2067⟩acme⟨U+2069⟩"),
        ("a\tb\x00", "a⟨U+0009⟩b⟨U+0000⟩"),
        ("acme ", "acme⟨U+0020⟩"),
        ("acme  corp", "acme ⟨U+0020⟩corp"),
        ("acme\u00a0corp", "acme⟨U+00A0⟩corp"),
        ("ac\ufe0fme", "ac⟨U+FE0F⟩me"),
        ("же\u200dже", "же⟨U+200D⟩же"),
        ("\u3164", "⟨U+3164⟩"),
    ],
)
def test_what_is_not_seen_is_shown(sent, seen):
    """A character without a form of its own is shown as its code."""
    assert visible(sent) == seen
    assert hides(sent)
    assert seen.count("⟨") == name(sent).count('class="char"')


@pytest.mark.parametrize(
    "sent",
    [
        "acme corp",
        "عميل-شركة-النور",
        "משרד_123:סניף",
        "می‌خواهم",
        "क्‍ष",
        "👩‍👩‍👧 ❤️ 1️⃣",
        "日本の顧客　株式会社",
        "Zalgo h\u0335\u0323",
    ],
)
def test_what_is_writing_stays(sent):
    """No script and no emoji is taken apart."""
    assert visible(sent) == sent
    assert not hides(sent)


@given(st.text())
def test_what_is_copied_is_what_was_sent(sent):
    """Without its markup a name, or a text, is the one that was sent, and nothing of it is markup."""
    for made in (name(sent), text(sent)):
        assert html.unescape(re.sub(r"<[^>]*>", "", made)) == sent


@given(st.text())
def test_nothing_in_it_moves_what_stands_beside(sent):
    """Every character that changes the direction stands in a mark of its own."""
    outside = re.sub(r'<span class="char"[^>]*>[^<]*</span>', "", name(sent))
    assert not {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"} & {
        unicodedata.bidirectional(char) for char in outside
    }


def test_a_name_breaks_where_its_parts_end():
    """What is markup in it is text."""
    assert name("org_1:<b>") == '<bdi class="name">org_<wbr>1:&lt;b&gt;</bdi>'


def test_a_text_keeps_its_lines():
    """Line breaks and tabs of a text are its form."""
    assert text("a\n\tb\u202e").startswith("a\n\tb<span")
