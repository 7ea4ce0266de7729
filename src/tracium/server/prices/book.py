"""The price book of a store: looks prices up for what was not seen before, and keeps the past as it was shown."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from tracium.server.prices import catalogue, timelines
from tracium.server.prices.key import KEY_COLUMNS, PriceKey
from tracium.server.prices.overrides import Overrides, parse
from tracium.server.prices.period import NO_TIME, QUARTER, continued, overlay
from tracium.server.prices.timelines import Timeline
from tracium.server.scope import TenantScope

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tracium.server.prices.period import Period
    from tracium.server.store import Store

_logger: Final = logging.getLogger(__name__)

# A sender that invents names must not fill the memory: what comes after these has no price.
MOST_KEYS: Final = 20_000
_RETRY_SECONDS: Final = 60

_COLUMNS: Final = ", ".join(KEY_COLUMNS)
# Parts never change: each is looked into once, however late its data comes and whoever wrote it.
_PARTS: Final = """
SELECT concat(table, '/', name) AS part FROM system.parts
WHERE database = currentDatabase() AND active
      AND table IN ('tracium_calls', 'tracium_calls_15m', 'tracium_price_overrides')
"""
# By the parts that are not known, not by those that are new: a new one may have been merged into another by now.
_KEYS: Final = f"""
SELECT DISTINCT {_COLUMNS} FROM tracium_calls_15m WHERE concat('tracium_calls_15m/', _part) NOT IN {{parts:Array(String)}}
UNION DISTINCT
SELECT DISTINCT {_COLUMNS} FROM tracium_calls WHERE concat('tracium_calls/', _part) NOT IN {{parts:Array(String)}}
"""  # noqa: S608 - joined from constants; values are bound
_OVERRIDES: Final = "SELECT Revision, Name, Toml FROM tracium_price_overrides ORDER BY Revision DESC LIMIT 1"


class PriceBook:
    """The prices of one store, as this process has them in mind. Every method may be called from any thread, and blocks.

    Several processes may keep books of one store: each writes what it finds missing, and twice is as good as once.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._parts: set[str] = set()
        self._known: set[PriceKey] = set()
        # None: nothing was looked at yet.
        self._overrides: Overrides | None = None
        self._not_before = 0.0
        self._has_warned = False

    def ensure(self) -> None:
        """Look up the prices of everything that has none yet; takes about a millisecond when there is nothing new.

        A price that changed since, by a new release of genai-prices or by new overrides, holds from the next quarter of
        an hour on; where there was no price before, it holds for the past, too.

        Raises:
            StoreError: the store could not answer.
        """
        with self._lock:
            self._ensure()

    def load(self, text: str, name: str) -> bool:
        """Take a TOML file of overrides, in the place of those before; answer whether it says anything new.

        It holds from the next `ensure` on.

        Args:
            text: what the file says; an empty one overrides nothing.
            name: the file's name, which becomes part of the version.

        Raises:
            SettingError: the file cannot be used; the sentence says what is wrong where.
            StoreError: the store could not be asked or written.
        """
        parse(text, name)
        with self._lock:
            stored = self._stored_overrides()
            if stored.text == text:
                return False
            self._store.insert("tracium_price_overrides", ("Revision", "Name", "Toml"), [(time.time_ns(), name, text)])
            return True

    def revised(self, since: int, until: int) -> list[Timeline]:
        """The timelines that change if what holds now is made to hold for a stretch of the past; nothing is written.

        Args:
            since: seconds since 1970; a quarter of an hour begins there.
            until: where the stretch ends, likewise.

        Raises:
            StoreError: the store could not answer.
            LookUpError: prices cannot be looked up.
        """
        with self._lock:
            self._ensure()
            lines = timelines.read(self._store)
            new = _resolved(lines, self._overrides or Overrides())
            revised = (
                replace(line, periods=tuple(overlay(line.periods, new[key], since, until)))
                for key, line in lines.items()
            )
            return [line for line in revised if line != lines[line.key]]

    def _ensure(self) -> None:
        parts = {row["part"] for row in self._store.rows(TenantScope.all(), _PARTS)}
        if self._overrides is not None and parts <= self._parts:
            return
        if time.monotonic() < self._not_before:
            return
        try:
            self._take(self._unknown_keys())
        except catalogue.LookUpError as error:
            # The question goes on: what could not be looked up is shown as without a price.
            _logger.warning("%s It is tried again in %d seconds.", error, _RETRY_SECONDS)
            self._not_before = time.monotonic() + _RETRY_SECONDS
        else:
            self._parts = parts

    def _unknown_keys(self) -> set[PriceKey]:
        rows = self._store.rows(TenantScope.all(), _KEYS, {"parts": sorted(self._parts)})
        return {PriceKey(*(row[column] for column in KEY_COLUMNS)) for row in rows} - self._known

    def _take(self, keys: set[PriceKey]) -> None:
        """Write what `keys` and the timelines of the store lack."""
        overrides = self._stored_overrides()
        if self._overrides == overrides and (not keys or self._is_full()):
            return
        lines = timelines.read(self._store)
        missing = sorted(keys - lines.keys())[: max(MOST_KEYS - len(lines), 0)]
        outdated = {key for key, line in lines.items() if _is_outdated(line, overrides)}
        new = _resolved({*missing, *outdated}, overrides)
        at = -(-int(time.time()) // QUARTER) * QUARTER
        timelines.write(
            self._store,
            (
                Timeline(
                    key,
                    tuple(continued(lines[key].periods, periods, at) if key in lines else periods),
                    catalogue.package_version(),
                    overrides.revision,
                )
                for key, periods in new.items()
            ),
        )
        self._overrides = overrides
        self._known = lines.keys() | set(missing)

    def _is_full(self) -> bool:
        if len(self._known) < MOST_KEYS:
            return False
        if not self._has_warned:
            _logger.warning("more than %d kinds of model calls were seen; further ones have no price.", MOST_KEYS)
            self._has_warned = True
        return True

    def _stored_overrides(self) -> Overrides:
        for row in self._store.rows(TenantScope.all(), _OVERRIDES):
            return parse(row["Toml"], row["Name"], revision=row["Revision"])
        return Overrides()


def _is_outdated(line: Timeline, overrides: Overrides) -> bool:
    # Never backwards: another process may have a later release of the package.
    return line.overrides < overrides.revision or _order(line.package) < _order(catalogue.package_version())


def _resolved(keys: Iterable[PriceKey], overrides: Overrides) -> dict[PriceKey, list[Period]]:
    """What holds now for each key, for all of time: the overrides over genai-prices."""
    wanted = list(keys)
    # What a deployment is called matters to overrides only.
    asked = list(dict.fromkeys(key._replace(request_model="") for key in wanted))
    found = dict(zip(asked, catalogue.look_up(asked), strict=True))
    return {key: overrides.over(key, found[key._replace(request_model="")]) for key in wanted}


_books: Final[WeakKeyDictionary[Store, PriceBook]] = WeakKeyDictionary()
_books_lock: Final = threading.Lock()


def book(store: Store) -> PriceBook:
    """The price book of a store, one for each store that this process has open."""
    with _books_lock:
        return _books.setdefault(store, PriceBook(store))


def quarters(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """The full quarters of an hour that a stretch of time touches, in seconds since 1970; None is no limit."""
    start = 0 if since is None else max(int(since.timestamp()) // QUARTER * QUARTER, 0)
    end = NO_TIME if until is None else max(min(-int(-until.timestamp() // QUARTER) * QUARTER, NO_TIME), 0)
    return start, end


def _order(release: str) -> tuple[int, ...]:
    return tuple(int("".join(filter(str.isdigit, part)) or 0) for part in release.split("."))
