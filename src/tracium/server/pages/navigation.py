"""The pages that are linked from every page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracium.server.access.route import ADMIN, NUMBERS, TRACES, Audience

if TYPE_CHECKING:
    from tracium.server.access.principal import Kind


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the navigation."""

    title: str
    path: str
    audience: Audience


_ENTRIES: Final = (
    Entry("Overview", "/overview", NUMBERS),
    Entry("Tenants", "/tenants", NUMBERS),
    Entry("Compare", "/compare", NUMBERS),
    Entry("Traces", "/traces", TRACES),
    Entry("Errors", "/errors", TRACES),
    Entry("Usage", "/usage", NUMBERS),
    Entry("Settings", "/settings", ADMIN),
)


def entries(kind: Kind) -> tuple[Entry, ...]:
    """What the holder of a token of a kind is answered."""
    return tuple(entry for entry in _ENTRIES if entry.audience is not None and kind in entry.audience)
