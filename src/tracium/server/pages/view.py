"""What a page shows, as its URL says it, and the URLs of other pages that show the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from tracium.server.pages.period import DEFAULT, Period
from tracium.server.timerange import time_zone

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from starlette.datastructures import QueryParams

# Those that every page understands, and that links keep.
SHARED: Final = ("tenant", "none", "environment", "range", "from", "to", "tz", "compare", "live")
_YES: Final = "true"
_NO: Final = "false"
_LONGEST: Final = 1024


@dataclass(frozen=True, slots=True)
class View:
    """The state of a page: all of it stands in the URL.

    Raises:
        ValueError: by `read`; the message is a sentence for the reader.
    """

    path: str
    period: Period
    # The pairs that the URL has, in its order, without what was empty.
    pairs: tuple[tuple[str, str], ...] = ()
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    @classmethod
    def read(cls, path: str, query: QueryParams, now: datetime, own: Collection[str] = ()) -> Self:
        """Read a URL.

        Args:
            path: the page's path.
            query: what follows it; a field that a form left empty counts as not there.
            now: what presets of time are counted from.
            own: the parameters that the page has besides `SHARED`.
        """
        pairs = tuple((name, value) for name, value in query.multi_items() if value)
        known = {*SHARED, *own}
        for name, value in pairs:
            if name not in known:
                raise ValueError(f"this page knows no {name!r}: it understands {', '.join(sorted(known))}")
            if len(value) > _LONGEST:
                raise ValueError(f"{name} has more than {_LONGEST} characters")
        values = dict(pairs)
        zone = _zone(values.get("tz", "UTC"))
        for name in ("none", "compare", "live"):
            if values.get(name, _YES) not in {_YES, _NO}:
                raise ValueError(f"{name}={values[name]!r} is neither true nor false")
        return cls(path, _period(values, now.astimezone(UTC), zone), pairs, zone)

    @property
    def tenants(self) -> tuple[str, ...]:
        """The tenants that are asked for, none twice; empty for all of them."""
        return tuple(dict.fromkeys(value for name, value in self.pairs if name == "tenant"))

    @property
    def tenant(self) -> str | None:
        """The one tenant that is asked for."""
        return self.tenants[0] if len(self.tenants) == 1 else None

    @property
    def none(self) -> bool:
        """Whether what belongs to no tenant is asked for."""
        return self.get("none") == _YES

    @property
    def environment(self) -> str | None:
        """The deployment environment that is asked for."""
        return self.get("environment")

    @property
    def compare(self) -> bool:
        """Whether the period before is shown beside."""
        return self.get("compare") != _NO

    @property
    def live(self) -> bool:
        """Whether the page renews itself."""
        return self.get("live") == _YES

    def get(self, name: str) -> str | None:
        """The value of a parameter; the last one if it is there more than once."""
        return dict(self.pairs).get(name)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a parameter."""
        return tuple(value for key, value in self.pairs if key == name)

    def link(self, path: str, **changes: str | int | Iterable[str] | None) -> str:
        """The URL of another page that shows the same tenants, time and environment.

        Args:
            path: the page, such as ``/traces``.
            changes: parameters that are other there; None takes one away, a list repeats it, ``from_`` is ``from``.
        """
        return _url(path, [pair for pair in self.pairs if pair[0] in SHARED], changes)

    def here(self, **changes: str | int | Iterable[str] | None) -> str:
        """The URL of this page with other parameters; the place in a list is given up."""
        return _url(self.path, [pair for pair in self.pairs if pair[0] != "cursor"], {"cursor": None, **changes})

    def kept(self, *without: str) -> tuple[tuple[str, str], ...]:
        """What a form has to send along besides its own fields."""
        return tuple(pair for pair in self.pairs if pair[0] not in {*without, "cursor"})


def _url(path: str, pairs: list[tuple[str, str]], changes: dict[str, str | int | Iterable[str] | None]) -> str:
    named = {name.rstrip("_"): value for name, value in changes.items()}
    # A preset and typed moments exclude each other.
    if named.get("range"):
        named |= {"from": None, "to": None}
    kept = [pair for pair in pairs if pair[0] not in named]
    for name, value in named.items():
        kept += [(name, one) for one in _texts(value)]
    return f"{path}?{urlencode(kept)}" if kept else path


def _texts(value: str | int | Iterable[str] | None) -> list[str]:
    if value is None or value == "":
        return []
    if isinstance(value, (str, int)):
        return [str(value)]
    return list(value)


def _period(values: dict[str, str], now: datetime, zone: ZoneInfo) -> Period:
    if "from" in values or "to" in values:
        if "from" not in values or "to" not in values:
            raise ValueError("from and to go together: give both, or a range such as 24h")
        return Period.between(values["from"], values["to"], zone)
    return Period.of(values.get("range", DEFAULT), now, zone)


def _zone(name: str) -> ZoneInfo:
    try:
        return time_zone(name)
    except ValueError as error:
        raise ValueError(f"tz={name!r} {error}") from error
