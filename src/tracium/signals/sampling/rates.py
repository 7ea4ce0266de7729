"""Which share of a tenant's traces is exported."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from fnmatch import translate
from functools import lru_cache
from typing import Final

from tracium.signals.sampling.threshold import threshold_of

_EVERYBODY: Final = "*"
# As fnmatch reads them: a set of characters stands for one character.
_WILDCARD: Final = re.compile(r"\*|\?|\[!?\]?[^\]]*\]")
_REMEMBERED: Final = 4096


class SampleRates:
    """Shares of traces by patterns of tenants.

    The most specific pattern that fits counts, in whatever order they were given: a tenant's own id first, then the
    pattern with the most characters that are no wildcards, then with the most wildcards for one character; of two that
    are alike, the first. `*` fits spans without a tenant too. Whoever fits no pattern is exported whole.

    Args:
        shares: From patterns as `fnmatch` knows them (`*`, `?`, `[abc]`; upper and lower case differ) to shares from 0 to
            1, as a mapping or as pairs.

    Raises:
        TypeError: A pattern is no string, or a share no number.
        ValueError: A pattern is empty, or a share is not from 0 to 1.
    """

    def __init__(self, shares: Mapping[str, float] | Iterable[tuple[str, float]]) -> None:
        pairs = tuple(shares.items() if isinstance(shares, Mapping) else shares)
        for pattern, share in pairs:
            _check(pattern, share)
        self._pairs = pairs
        self._rules = [
            (re.compile(translate(pattern)), threshold_of(share)) for pattern, share in sorted(pairs, key=_breadth)
        ]
        self._unknown = threshold_of(next((share for pattern, share in pairs if pattern == _EVERYBODY), 1.0))
        self._known = lru_cache(maxsize=_REMEMBERED)(self._look_up)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SampleRates) and self._pairs == other._pairs

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return f"SampleRates({dict(self._pairs)!r})"

    def threshold(self, tenant: str | None) -> int:
        """The threshold that the random bits of a trace of `tenant` must reach; None: of nobody."""
        return self._unknown if tenant is None else self._known(tenant)

    def _look_up(self, tenant: str) -> int:
        return next((threshold for pattern, threshold in self._rules if pattern.match(tenant)), threshold_of(1.0))


def _check(pattern: object, share: object) -> None:
    if not isinstance(pattern, str):
        raise TypeError(
            f"A pattern of tenants must be a string such as 'free-*', not {type(pattern).__name__}: {pattern!r:.80}."
        )
    if not pattern:
        raise ValueError(
            "A pattern of tenants is empty, and no tenant's id is. Write '*' for all tenants and for none."
        )
    if isinstance(share, bool) or not isinstance(share, int | float):
        raise TypeError(
            f"The share of traces of {pattern!r:.80} must be a number, not {type(share).__name__}: {share!r:.80}."
        )
    if math.isnan(share) or not 0 <= share <= 1:
        raise ValueError(f"The share of traces of {pattern!r:.80} is {share}, but it must be from 0 (none) to 1 (all).")


def _breadth(pair: tuple[str, float]) -> tuple[bool, int, int]:
    """How many tenants a pattern may fit, the fewest first: by its characters, then by its wildcards for one character."""
    pattern = pair[0]
    wildcards = _WILDCARD.findall(pattern)
    literal = len(_WILDCARD.sub("", pattern))
    return bool(wildcards), -literal, wildcards.count(_EVERYBODY) - len(wildcards)
