"""Names and texts that anybody may have sent: no character of theirs hides, or moves what stands beside it.

What is not seen by itself is shown as its code: ``acme`` with a zero-width space in it does not look like ``acme``, and a
name with a right-to-left override does not read as another one. What is copied is the text as it is.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterator

# Unicode's Default_Ignorable_Code_Point, controls, what is private, separators that are no plain space, the braille blank.
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt
_UNSEEN: Final = (
    r"\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    r"\u2800\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U0010ffff"
)
# Where writing or a picture is made with them, joiners and variants are a part of it: Arabic and the scripts of South Asia,
# symbols and emoji; ideographs have variants.
_JOINING: Final = r"[\u0600-\u109f\u1780-\u18af\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]"
_VARYING: Final = r"[\xa9\xae\u1820-\u18aa\u203c-\u9fff\uf900-\ufaff\U0001f000-\U0003ffff]"
_JOINED: Final = rf"(?<={_JOINING})[\u200c\u200d](?={_JOINING})|(?<={_VARYING})[\u180b-\u180d\ufe00-\ufe0f\U000e0100-\U000e01ef]|\ufe0f(?=\u20e3)"
_IN_NAME: Final = re.compile(rf"({_JOINED})|([{_UNSEEN}]|^ +| +\Z|(?<= ) +)")
_IN_TEXT: Final = re.compile(rf"({_JOINED}|[\t\n\r])|([{_UNSEEN}])")
# Where a browser does not break lines by itself.
_PART_END: Final = re.compile(r"(?<=[:_/.@|])(?=\w)")
_SHOWN: Final = Markup('<span class="char" data-code="{}" title="{}">{}</span>')


def name(text: str) -> Markup:
    """A name, apart from what stands beside it; it may go on in the next line where its parts end."""
    return Markup('<bdi class="name">{}</bdi>').format(_shown(text, _IN_NAME, breaks=True))


def text(value: str) -> Markup:
    """A text of many lines."""
    return _shown(value, _IN_TEXT, breaks=False)


def visible(text: str) -> str:
    """A name where there can be no markup: the title of a page, a choice of a list."""
    return _IN_NAME.sub(lambda found: found[1] or "".join(f"⟨{_code(one)}⟩" for one in found[2]), text)


def hides(text: str) -> bool:
    """Whether a name has what is not seen."""
    return visible(text) != text


def _shown(text: str, unseen: re.Pattern[str], *, breaks: bool) -> Markup:
    return Markup("").join(_pieces(text, unseen, breaks=breaks))


def _pieces(text: str, unseen: re.Pattern[str], *, breaks: bool) -> Iterator[Markup]:
    seen = 0
    for found in unseen.finditer(text):
        if found[2] is None:
            continue
        yield _plain(text[seen : found.start()], breaks=breaks)
        for one in found[2]:
            yield _SHOWN.format(_code(one), unicodedata.name(one, "a control character"), one)
        seen = found.end()
    yield _plain(text[seen:], breaks=breaks)


def _plain(text: str, *, breaks: bool) -> Markup:
    return Markup("<wbr>").join(_PART_END.split(text)) if breaks else escape(text)


def _code(char: str) -> str:
    return f"U+{ord(char):04X}"
