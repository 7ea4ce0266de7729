"""Tags and metadata, as attributes of a span.

The SDK drops a span's oldest attributes when there are too many, so that the number of those that an app can add is
bounded here: what exceeds it goes into one attribute together.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from tracium import notices
from tracium.agents.encoding import as_attribute, as_json, clean, plain
from tracium.attributes import METADATA_PREFIX, MORE_METADATA

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

OWN_ATTRIBUTES: Final = 32
"""How many keys of metadata become attributes of their own on one span; all others are in `tracium.more_metadata`."""

MAX_TAGS: Final = 100
"""How many tags a span has at most."""


class Metadata:
    """The metadata of one span.

    Args:
        metadata: What it begins with.
    """

    def __init__(self, metadata: Mapping[str, Any] | None = None) -> None:
        self._own: set[str] = set()
        self._more: dict[str, Any] = {}
        self.attributes = {} if metadata is None else {**self.add(metadata), **self.more()}

    def add(self, metadata: Mapping[str, Any]) -> dict[str, AttributeValue]:
        """Add to it; give the attributes to be set. Those of `more` are set at the end.

        Raises:
            TypeError: It is no mapping, or a key is no string.
            ValueError: A key is empty.
        """
        check_metadata(metadata)
        attributes: dict[str, AttributeValue] = {}
        for key, value in metadata.items():
            if key in self._own or len(self._own) < OWN_ATTRIBUTES:
                self._own.add(key)
                attributes[METADATA_PREFIX + clean(key)] = as_attribute(value)
            else:
                self._more[key] = plain(value)
        return attributes

    def more(self) -> dict[str, AttributeValue]:
        """The attribute for what has none of its own, if there is anything."""
        return {MORE_METADATA: as_json(dict(self._more))} if self._more else {}


def check_metadata(metadata: object) -> None:
    """Refuse what is no metadata.

    Raises:
        TypeError: It is no mapping, or a key is no string.
        ValueError: A key is empty.
    """
    if not isinstance(metadata, Mapping):
        raise TypeError(
            f"Metadata must be a mapping of keys to values, not {type(metadata).__name__}: {metadata!r:.80}."
        )
    for key in metadata:
        if not isinstance(key, str):
            raise TypeError(f"A key of metadata must be a string, not {type(key).__name__}: {key!r:.80}.")
        if not key:
            raise ValueError("A key of metadata must not be empty. Name what the value is.")


def merged_tags(tags: Iterable[str], more: Iterable[object] | None) -> tuple[str, ...]:
    """`tags`, and those of `more` that are not among them; what is None or blank is left out.

    Raises:
        TypeError: `more` is one string, or nothing that holds tags.
    """
    if more is None:
        return tuple(tags)
    if isinstance(more, str | bytes | Mapping) or not isinstance(more, Iterable):
        raise TypeError(
            f"Tags must be a list or another sequence of strings, not {type(more).__name__}: {more!r:.80}. "
            "Write one tag as ['tag']."
        )
    merged = dict.fromkeys(tags)
    merged.update(dict.fromkeys(clean(tag) for one in more if one is not None and (tag := str(one).strip())))
    if len(merged) > MAX_TAGS:
        notices.say(
            "agent:tags",
            logging.WARNING,
            f"A span of an agent got {len(merged)} tags; the first {MAX_TAGS} are kept. Put what differs from run to run "
            "into metadata.",
        )
    return tuple(merged)[:MAX_TAGS]
