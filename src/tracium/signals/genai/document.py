"""The texts in a value that was captured: in JSON, or in mappings and sequences. What is around the texts stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

# The tokens of JSON that matter here; in valid JSON no other begins with one of these characters.
_TOKEN: Final = re.compile(r'("(?:[^"\\]++|\\.)*+")(\s*+:)?|(-?[0-9][0-9.eE+-]*+)|[{}]', re.DOTALL)
_DEEPEST: Final = 100


@dataclass(frozen=True, slots=True)
class Text:
    """One text, or number, in a document.

    Attributes:
        value: The text; a number as it is written.
        field: The name of the field that it is the value of, or in the list of, if any.
        is_number: Whether it is a number.
    """

    value: str
    field: str | None
    is_number: bool = False


class Document(Protocol):
    """A value with texts in it.

    Attributes:
        texts: Its texts, in order.
        whole: Whether all of it is in what `rebuilt` returned.
    """

    texts: list[Text]
    whole: bool

    def rebuilt(self, texts: Sequence[str | None], room: int) -> Any:
        """The same with these texts in their places.

        Args:
            texts: As many as there are; None leaves one as it is.
            room: Characters that it may have. If it has more, the oldest elements of a list go until it fits; what does
                not fit even so is None.
        """


class JsonText:
    """JSON in a string. Its texts are replaced where they stand; all other characters stay, also in numbers and spaces."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.whole = True
        self._places: list[tuple[int, int]] = []
        self.texts: list[Text] = []
        field: str | None = None
        for token in _TOKEN.finditer(source):
            literal, colon, number = token.groups()
            if literal is None and number is None:
                field = None
            elif colon is not None:
                field = _decoded(literal)
            else:
                self._places.append(token.span(1) if number is None else token.span(3))
                value = number if literal is None else _decoded(literal)
                self.texts.append(Text(value, field, is_number=literal is None))

    @classmethod
    def parse(cls, source: str) -> JsonText | None:
        """`source` as JSON, if it is an object or an array of it."""
        if source.lstrip()[:1] not in {"{", "["}:
            return None
        try:
            json.loads(source)
        except (ValueError, RecursionError):
            return None
        return cls(source)

    def rebuilt(self, texts: Sequence[str | None], room: int) -> str | None:
        """As `Document` says."""
        parts, done = [], 0
        for (start, end), text in zip(self._places, texts, strict=True):
            if text is not None:
                # Where the writer escaped, there may be what has no other form, such as half of a surrogate pair.
                escaped = "\\u" in self._source[start:end] or not _is_encodable(text)
                parts += [self._source[done:start], json.dumps(text, ensure_ascii=escaped)]
                done = end
        whole = "".join([*parts, self._source[done:]]) if parts else self._source
        self.whole = len(whole) <= room
        return whole if self.whole else _newest_json(whole, room)


def _decoded(literal: str) -> str:
    text: str = json.loads(literal) if "\\" in literal else literal[1:-1]
    return text


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _newest_json(source: str, room: int) -> str | None:
    elements = list(_elements(source))
    kept, size = len(elements), 2
    while kept and size + len(elements[kept - 1]) + 1 <= room:
        kept -= 1
        size += len(elements[kept]) + 1
    return f"[{','.join(elements[kept:])}]" if kept < len(elements) else None


def _elements(source: str) -> Iterator[str]:
    """The elements of a JSON array as they are written; none if it is an object."""
    position = source.find("[") + 1 if source.lstrip().startswith("[") else len(source)
    decoder = json.JSONDecoder()
    while True:
        while position < len(source) and source[position] in " \t\r\n,":
            position += 1
        if position >= len(source) or source[position] == "]":
            return
        _, end = decoder.raw_decode(source, position)
        yield source[position:end]
        position = end


class Tree:
    """Mappings and sequences, as attributes and bodies of log records may have them."""

    def __init__(self, value: Any) -> None:
        self._value = value
        self.whole = True
        self.texts: list[Text] = list(_texts(value, None, 0))

    def rebuilt(self, texts: Sequence[str | None], room: int) -> Any:
        """As `Document` says."""
        rebuilt = self._replaced(self._value, iter(texts), 0)
        if _size(rebuilt) <= room:
            return rebuilt
        self.whole = False
        elements = rebuilt if isinstance(rebuilt, tuple) else ()
        kept, size = len(elements), 0
        while kept and size + _size(elements[kept - 1]) <= room:
            kept -= 1
            size += _size(elements[kept])
        return elements[kept:] or None

    def _replaced(self, value: Any, texts: Iterator[str | None], depth: int) -> Any:
        """The walk of `_texts` once more. What is too deep was not looked at, and bytes cannot be: neither stays."""
        if isinstance(value, str) or _is_number(value):
            text = next(texts)
            return value if text is None else text
        if value is None or isinstance(value, bool):
            return value
        if depth < _DEEPEST:
            if isinstance(value, Mapping):
                return {str(name): self._replaced(inner, texts, depth + 1) for name, inner in value.items()}
            if _is_list(value):
                return tuple(self._replaced(inner, texts, depth + 1) for inner in value)
        self.whole = False
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview)


def _texts(value: Any, field: str | None, depth: int) -> Iterator[Text]:
    if isinstance(value, str):
        yield Text(value, field)
    elif _is_number(value):
        yield Text(str(value), field, is_number=True)
    elif depth >= _DEEPEST:
        return
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, str(name), depth + 1)
    elif _is_list(value):
        for inner in value:
            yield from _texts(inner, field, depth + 1)


def _size(value: Any) -> int:
    """About as many characters as it would have as JSON."""
    if isinstance(value, str):
        return len(value) + 3
    if isinstance(value, dict):
        return 2 + sum(len(str(name)) + 4 + _size(inner) for name, inner in value.items())
    if isinstance(value, tuple):
        return 2 + sum(map(_size, value))
    return 8
