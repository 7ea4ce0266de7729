"""The users' own prices, from one TOML file: for a provider, an account, a deployment, a model, a tier, and from when."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from tracium.exceptions import SettingError
from tracium.server.prices.key import canonical_provider
from tracium.server.prices.period import INPUT_CLASSES, NO_CLASS, NO_TIME, QUARTER, Box, Period, UnitPrices, overlay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tracium.server.prices.key import PriceKey

SOURCE: Final = "override"

_NAMES: Final = ("provider", "model", "account", "deployment", "service_tier")
_UNITS: Final = ("input", "cache_read", "cache_write", "output")
_KEYS: Final = frozenset({*_NAMES, *_UNITS, "request", "from", "to", "tiers", "currency"})
_TIER_KEYS: Final = frozenset({"above", *_UNITS})
_MILLION: Final = 1_000_000
# Decimal(38, 24) holds no finer price of one token and none this large.
_FINEST: Final = -24
_LARGEST: Final = Decimal(10) ** 14
_EVERY_TIER: Final = "*"


@dataclass(frozen=True, slots=True)
class _Rule:
    """One table ``[[price]]``."""

    number: int
    # What it is for; a name that is not there is for everything.
    names: Mapping[str, str]
    start: int
    end: int
    # The prices from each class of input on, the smallest first.
    prices: tuple[tuple[int, UnitPrices], ...]

    def is_for(self, key: PriceKey) -> bool:
        """Whether the table speaks of such calls."""
        tier = self.names.get("service_tier")
        fits = key.is_standard if tier is None else tier in (_EVERY_TIER, key.service_tier.lower())
        provider = self.names.get("provider")
        if provider is not None and canonical_provider(provider) != canonical_provider(key.provider):
            return False
        told = {"model": key.model, "account": key.server_address, "deployment": key.request_model}
        return fits and all(
            fnmatchcase(value.lower(), self.names[name]) for name, value in told.items() if name in self.names
        )

    @property
    def rank(self) -> tuple[object, ...]:
        """What decides between tables for the same calls: the higher one holds."""
        weight = [
            _exactness(self.names.get("deployment")),
            _exactness(self.names.get("account")),
            _exactness(self.names.get("model")),
            ("provider" in self.names, 0),
            (self.names.get("service_tier", _EVERY_TIER) != _EVERY_TIER, 0),
        ]
        return (*weight, self.number)

    def periods(self, version: str) -> list[Period]:
        """The table's prices, as if they held for all of time."""
        matched = ", ".join(f"{name}={value}" for name, value in self.names.items())
        edges = [(start, prices) for start, prices in self.prices]
        ends = [start for start, _ in edges[1:]] + [NO_CLASS]
        return [
            Period(Box(class_from=start, class_to=end), prices, SOURCE, version, matched)
            for (start, prices), end in zip(edges, ends, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Overrides:
    """The tables of one file.

    Make it with `parse`; without arguments it overrides nothing.
    """

    name: str = ""
    text: str = ""
    # When it was loaded into the store, in nanoseconds since 1970; 0: never.
    revision: int = 0
    rules: tuple[_Rule, ...] = field(default=(), repr=False)

    @property
    def version(self) -> str:
        """The file's name and a digest of what it says."""
        return f"{self.name}@{hashlib.sha256(self.text.encode()).hexdigest()[:12]}"

    def over(self, key: PriceKey, periods: Sequence[Period]) -> list[Period]:
        """The periods of a key with the tables laid over them, the one that holds on top."""
        result = list(periods)
        for rule in sorted(self.rules, key=lambda one: one.rank):
            if rule.is_for(key):
                result = overlay(result, rule.periods(self.version), rule.start, rule.end)
        return result


def parse(text: str, name: str, *, revision: int = 0) -> Overrides:
    """Read the tables of a TOML file.

    Args:
        text: what the file says.
        name: the file's name, for messages and as part of the version.
        revision: when it was loaded into the store.

    Raises:
        SettingError: it is no TOML, or a table says what cannot be a price; the sentence names file, table and key.
    """
    try:
        tables = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{name} is no TOML: {error}.") from error
    except RecursionError as error:
        raise SettingError(f"{name} is nested too deep to be a list of prices.") from error
    unknown = tables.keys() - {"price", "currency"}
    if unknown:
        raise SettingError(f"{name}: {min(unknown)!r} is no key of the file. Write each price as a table [[price]].")
    _check_currency(tables, name)
    prices = tables.get("price", [])
    if not isinstance(prices, list) or not all(isinstance(one, dict) for one in prices):
        raise SettingError(f"{name}: price is no list of tables. Write each price as a table [[price]].")
    rules = (_Table(name, number, table).rule() for number, table in enumerate(prices, 1))
    return Overrides(name, text, revision, tuple(rules))


def read_file(path: Path) -> Overrides:
    """Read a file of prices.

    Raises:
        SettingError: it cannot be read, or cannot be used; the sentence says what is wrong where.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingError(f"the file of prices {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"the file of prices {path} is no text in UTF-8.") from error
    return parse(text, path.name)


class _Table:
    """One table ``[[price]]`` on its way to a rule; every mistake is a sentence that says where it stands."""

    def __init__(self, file: str, number: int, table: Mapping[str, Any]) -> None:
        self._where = f"{file}, table {number}"
        self._number = number
        self._table = table

    def rule(self) -> _Rule:
        self._check_keys(self._table, _KEYS, self._where)
        _check_currency(self._table, self._where)
        names = {name: self._name(name) for name in _NAMES if name in self._table}
        if not names.keys() & {"provider", "model", "account", "deployment"}:
            raise SettingError(f"{self._where} is for every call there is. Say provider, model, account or deployment.")
        start, end = self._moment("from", 0), self._moment("to", NO_TIME)
        if start >= end:
            raise SettingError(f"{self._where}: to={self._table['to']} is not after from={self._table.get('from')}.")
        return _Rule(self._number, names, start, end, self._prices())

    def _check_keys(self, table: Mapping[str, Any], known: frozenset[str], where: str) -> None:
        for key in table.keys() - known:
            raise SettingError(f"{where}: {key!r} is no key of a price. There are: {', '.join(sorted(known))}.")

    def _name(self, key: str) -> str:
        value = self._table[key]
        if not isinstance(value, str) or not value.strip():
            raise SettingError(f"{self._where}: {key}={value!r} is no name. Write it as a string.")
        return value.strip().lower()

    def _moment(self, key: str, default: int) -> int:
        value = self._table.get(key)
        if value is None:
            return default
        if isinstance(value, str):
            value = self._iso(key, value)
        if not isinstance(value, date):
            raise SettingError(f"{self._where}: {key}={value!r} is no date. Write it as 2026-01-31.")
        moment = value if isinstance(value, datetime) else datetime.combine(value, time())
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if not 0 <= seconds < NO_TIME or seconds % QUARTER:
            raise SettingError(
                f"{self._where}: {key}={self._table[key]} is no moment at which a price can change. "
                "Write a date, or a time at a full quarter of an hour, between 1970 and 2106."
            )
        return int(seconds)

    def _iso(self, key: str, text: str) -> datetime:
        try:
            return datetime.fromisoformat(text)
        except ValueError as error:
            raise SettingError(f"{self._where}: {key}={text!r} is no date. Write it as 2026-01-31.") from error

    def _prices(self) -> tuple[tuple[int, UnitPrices], ...]:
        units = {unit: self._price(self._table, unit, self._where) for unit in _UNITS}
        request = self._price(self._table, "request", self._where)
        if request is None and all(price is None for price in units.values()):
            raise SettingError(f"{self._where} has no price. Say at least one of {', '.join(_UNITS)} and request.")
        tiers = self._table.get("tiers", [])
        if not isinstance(tiers, list) or not all(isinstance(one, dict) for one in tiers):
            raise SettingError(f"{self._where}: tiers is no list of tables. Write each as [[price.tiers]].")
        found = [(0, _unit_prices(units, request))]
        for number, tier in enumerate(tiers, 1):
            where = f"{self._where}, tier {number}"
            self._check_keys(tier, _TIER_KEYS, where)
            units = units | {unit: self._price(tier, unit, where) for unit in _UNITS if unit in tier}
            found.append((self._above(tier, where), _unit_prices(units, request)))
        if any(one >= other for (one, _), (other, _) in pairwise(found)):
            raise SettingError(f"{self._where}: tiers do not rise. Order them by above, the smallest first.")
        return tuple(found)

    def _above(self, tier: Mapping[str, Any], where: str) -> int:
        above = tier.get("above")
        if isinstance(above, bool) or above not in INPUT_CLASSES[1:]:
            allowed = ", ".join(map(str, INPUT_CLASSES[1:]))
            raise SettingError(
                f"{where}: above={above!r} is no size of input that can be told apart. Write one of {allowed}."
            )
        return int(above)

    def _price(self, table: Mapping[str, Any], key: str, where: str) -> Decimal | None:
        if key not in table:
            return None
        value = table[key]
        try:
            price = Decimal(value) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None
        except ArithmeticError:
            price = None
        if price is None or not price.is_finite() or price < 0:
            raise SettingError(f'{where}: {key}={value!r} is no price in US dollars. Write it as "2.50".')
        # Moved by the exponent: no digit is lost, whatever the number of digits.
        one = price if key == "request" else price.scaleb(-6) if len(price.as_tuple().digits) < 28 else None  # noqa: PLR2004 - digits of Decimal's context
        if one is None or one >= _LARGEST or int(one.normalize().as_tuple().exponent) < _FINEST:
            raise SettingError(f"{where}: {key}={value} is finer or larger than can be kept.")
        return one


def _unit_prices(units: Mapping[str, Decimal | None], request: Decimal | None) -> UnitPrices:
    # What has no price of its own is billed as the input that it is.
    plain, read, write = units["input"], units["cache_read"], units["cache_write"]
    return UnitPrices(
        input=plain,
        cache_read=plain if read is None else read,
        cache_write=plain if write is None else write,
        output=units["output"],
        request=request,
    )


def _exactness(name: str | None) -> tuple[bool, int]:
    """A name goes before a pattern, a pattern before nothing; of two patterns the one with more of the name."""
    if name is None:
        return False, -1
    is_pattern = any(char in name for char in "*?[")
    return not is_pattern, len(name) if is_pattern else 0


def _check_currency(table: Mapping[str, Any], where: str) -> None:
    currency = table.get("currency", "USD")
    if currency != "USD":
        raise SettingError(f'{where}: currency={currency!r} cannot be added up. Prices are in US dollars: "USD".')
