"""A captured value as it may go out: redacted first, then cut to the limit.

In this order, because half of a secret is a secret still.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracium import notices
from tracium.signals.genai.document import JsonText, Tree
from tracium.signals.genai.redaction import SECRET, is_secret_field

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracium.signals.genai.document import Document, Text

# What is further behind the limit than this is not looked at. A secret that begins before that is found whole, or the
# part that is before it is cut off: no secret is longer than the margin, and a private key is taken to the end anyway.
_MARGIN: Final = 4096
# Roles, types, ids and names make a message what it is: in a document texts as short as this are not cut.
_STRUCTURE: Final = 64
# Numbers of fewer digits identify nobody.
_LONG_NUMBER: Final = 9
# A document may have as many characters as its texts this many times, before the oldest elements of a list go.
_ROOM: Final = 4
_LEAST_ROOM: Final = 4096
# JSON in a string of JSON in a string …; what is deeper is redacted as one text.
_DEEPEST: Final = 4


@dataclass(slots=True)
class Marks:
    """What happened to a span's or a record's content.

    Attributes:
        cut: Whether text was cut.
        dropped: Whether text was dropped because its redaction failed.
    """

    cut: bool = False
    dropped: bool = False


@dataclass(slots=True)
class Rewriting:
    """How the content of one span is rewritten.

    Attributes:
        redact: What takes secrets out of a text, or None.
        limit: Characters that the texts of one value may have together.
        marks: What happened until now.
    """

    redact: Callable[[str], str] | None
    limit: int
    marks: Marks

    def value(self, value: Any) -> Any:
        """What may go out in the place of `value`; None if nothing of it may."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            document = JsonText.parse(value)
            return self._text(value) if document is None else self._document(document)
        if isinstance(value, bytes | bytearray):
            return self._bytes(bytes(value))
        if isinstance(value, int | float):
            redacted = self._redacted_number(str(value), None)
            return value if redacted is None else redacted
        return self._document(Tree(value))

    def _text(self, text: str) -> str | None:
        redacted, beyond = self._redacted(text, None, 0)
        return None if redacted is None else self._cut(redacted, beyond, self.limit)

    def _bytes(self, value: bytes) -> bytes | None:
        """Bytes that are text are treated as text. Others (images, sound) are whole or not there."""
        try:
            text = value.decode()
        except UnicodeDecodeError:
            if len(value) <= self.limit:
                return value
            self.marks.cut = True
            return None
        kept = self.value(text)
        return None if kept is None else str(kept).encode()

    def _document(self, document: Document) -> Any:
        redacted = [self._redacted_in(text, 0) for text in document.texts]
        longest = _longest([len(text) for text, _ in redacted], self.limit)
        texts = [self._cut(text, beyond, longest) for text, beyond in redacted]
        rebuilt = document.rebuilt(_changes(document, texts), max(_ROOM * self.limit, _LEAST_ROOM))
        self.marks.cut |= not document.whole
        return rebuilt

    def _redacted_in(self, text: Text, depth: int) -> tuple[str, int]:
        """A text of a document without its secrets, and how many characters behind it were not looked at."""
        if text.is_number:
            redacted = self._redacted_number(text.value, text.field)
            return text.value if redacted is None else redacted, 0
        kept, beyond = self._redacted(text.value, text.field, depth)
        return "" if kept is None else kept, beyond

    def _redacted(self, text: str, field: str | None, depth: int) -> tuple[str | None, int]:
        if self.redact is None or not text:
            return text, 0
        if field is not None and is_secret_field(field):
            return SECRET, 0
        window = self.limit + _MARGIN
        if len(text) <= window:
            inner = JsonText.parse(text) if depth < _DEEPEST else None
            return self._apply(text) if inner is None else self._redacted_inner(inner, depth + 1), 0
        seen = self._apply(text[:window])
        kept = None if seen is None else seen[: max(len(seen) - _MARGIN, 0)]
        return kept, 0 if kept is None else len(text) - len(kept)

    def _redacted_inner(self, document: JsonText, depth: int) -> str:
        texts = [self._redacted_in(text, depth)[0] for text in document.texts]
        return str(document.rebuilt(_changes(document, texts), sys.maxsize))

    def _redacted_number(self, number: str, field: str | None) -> str | None:
        """The text that stands in a number's place, or None if the number may stay."""
        if self.redact is None:
            return None
        if field is not None and is_secret_field(field):
            return SECRET
        if len(number) < _LONG_NUMBER or not number.isdigit():
            return None
        redacted = self._apply(number)
        return None if redacted == number else redacted or ""

    def _apply(self, text: str) -> str | None:
        """The text after the redaction, or None if that failed."""
        try:
            redacted: object = text if self.redact is None else self.redact(text)
        except Exception as error:  # noqa: BLE001 - the user's function; its message may quote the text, and is not repeated
            trouble = f"raised {type(error).__name__}"
        else:
            if isinstance(redacted, str):
                return str(redacted) if redacted.isascii() else redacted.encode(errors="replace").decode()
            trouble = f"returned a value of type {type(redacted).__name__} instead of a string"
        self.marks.dropped = True
        notices.say(
            "content:redaction",
            logging.WARNING,
            f"The redaction of prompts and answers {trouble}. The text was dropped and its span says "
            "tracium.content.dropped=true. Let the function given as `redact` return a string for every string.",
        )
        return None

    def _cut(self, text: str, beyond: int, longest: int | None) -> str:
        """The text up to `longest` characters, with a mark that tells how many more there were."""
        if longest is None or len(text) <= longest:
            if not beyond:
                return text
            longest = len(text)
        self.marks.cut = True
        return f"{text[:longest]}…[cut: {len(text) - longest + beyond} characters]"


def _changes(document: Document, texts: Sequence[str]) -> list[str | None]:
    return [None if new == old.value else new for new, old in zip(texts, document.texts, strict=True)]


def _longest(lengths: Sequence[int], limit: int) -> int | None:
    """The length to which the longest texts are cut, so that all have `limit` characters together; None if they have."""
    if sum(lengths) <= limit:
        return None
    left = limit
    for number, length in enumerate(sorted(lengths)):
        share = left // (len(lengths) - number)
        if length > share:
            return max(share, _STRUCTURE)
        left -= length
    return None
