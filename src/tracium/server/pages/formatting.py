"""Numbers, money, durations and moments: readable as they are, and with the exact value for the reader's own locale.

Every function gives an element: `locale.js` writes its text again as the reader's language and time zone have it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Protocol

from markupsafe import Markup

UNKNOWN: Final = "unknown"
_THOUSAND: Final = 1000
_SCALES: Final = ("", "K", "M", "B", "T")
_SIZES: Final = ("B", "kB", "MB", "GB", "TB")
_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000
_BAD_RATE: Final = 0.05
_CENT: Final = Decimal("0.01")
_DATA: Final = Markup('<data class="{}" value="{}" data-as="{}">{}</data>')
_NOTHING: Final = Markup('<span class="none" title="{}">{}</span>')


def count(number: float | None, *, at_least: bool = False) -> Markup:
    """A whole number with all its digits; None is unknown, and a lower bound says so."""
    if number is None:
        return unknown()
    return _at_least(at_least) + _DATA.format("number", round(number), "integer", f"{round(number):,}")


def compact(number: float | None, *, at_least: bool = False) -> Markup:
    """A number with three digits and a scale, for where there is little room: 1.25M."""
    if number is None:
        return unknown()
    return _at_least(at_least) + _DATA.format("number", number, "compact", _compact(number))


def share(ratio: float | None) -> Markup:
    """A ratio from 0 to 1 as a percentage."""
    if ratio is None:
        return nothing()
    return _DATA.format("number", ratio, "percent", percent_text(ratio))


def ratio(part: int, whole: int) -> float | None:
    """How much of a whole a part is."""
    return part / whole if whole else None


def is_bad(error_rate: float | None) -> bool:
    """Whether so many errors are to be looked at first."""
    return error_rate is not None and error_rate >= _BAD_RATE


def duration(milliseconds: float | None) -> Markup:
    """A duration in the unit that people say it in."""
    if milliseconds is None:
        return nothing()
    return _DATA.format("number", milliseconds, "duration", duration_text(milliseconds))


def duration_text(milliseconds: float) -> str:
    """A duration without an element around it: for titles, and for SVG."""
    if milliseconds >= _HOUR_MS:
        return f"{milliseconds / _HOUR_MS:.1f} h"
    if milliseconds >= _MINUTE_MS:
        return f"{milliseconds / _MINUTE_MS:.1f} min"
    if milliseconds >= _THOUSAND:
        return f"{milliseconds / _THOUSAND:.2f} s"
    if milliseconds >= 1 or not milliseconds:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds * _THOUSAND:.0f} µs"


def money(amount: Decimal | str | None, unpriced: int = 0, calls: int | None = None) -> Markup:
    """An amount in US dollars, as precise as it is known.

    Args:
        amount: the sum of what has a price; None where it is not to be seen, or nothing has a price.
        unpriced: model calls that have no price or unknown usage: the amount is a lower bound.
        calls: all model calls; if none of them has a price, there is no amount to show.
    """
    if unpriced and (amount is None or unpriced == calls):
        return _NOTHING.format("No price is known for these calls.", "unpriced")
    if amount is None:
        return nothing()
    value = Decimal(amount)
    return _at_least(bool(unpriced)) + _DATA.format("number money", value, "money", _dollars(value))


class Costed(Protocol):
    """What has a cost: a row of numbers of model calls."""

    @property
    def cost(self) -> Decimal | None:
        """In US dollars; None where it is not to be seen, or nothing is known."""

    @property
    def model_calls(self) -> int:
        """All of them."""

    @property
    def unpriced_calls(self) -> int | None:
        """Those without a price."""

    @property
    def unknown_usage(self) -> int:
        """Those of which usage is missing."""


def cost(row: Costed) -> Markup:
    """What the calls of a row cost: a lower bound, or no amount at all, where something is not known."""
    unpriced = row.unpriced_calls or 0
    if unpriced and unpriced == row.model_calls:
        return _NOTHING.format("No price is known for these calls.", "unpriced")
    if row.cost is None:
        return unknown() if row.unknown_usage else nothing()
    return money(row.cost, unpriced + row.unknown_usage)


def moment(when: datetime | str | None, style: str = "datetime") -> Markup:
    """A moment.

    Args:
        when: with a time zone; a text is in ISO 8601.
        style: ``datetime``, ``date``, ``clock`` or ``relative``, which is what a reader with script sees.
    """
    if when is None:
        return nothing()
    utc = (datetime.fromisoformat(when) if isinstance(when, str) else when).astimezone(UTC)
    text = {"date": f"{utc:%Y-%m-%d}", "clock": f"{utc:%H:%M:%S}"}.get(style, f"{utc:%Y-%m-%d %H:%M} UTC")
    iso = utc.isoformat().replace("+00:00", "Z")
    return Markup('<time datetime="{}" data-as="{}">{}</time>').format(iso, style, text)


def change(now: float | Decimal | None, before: float | Decimal | None, *, worse: str = "") -> Markup:
    """The change against the period before, in words that need no colour.

    Args:
        now: the value.
        before: what it was.
        worse: ``up`` if more is worse, ``down`` if less is, empty if neither.
    """
    if now is None or before is None:
        return Markup("")
    if not before:
        text = "as before" if not now else "new"
        return Markup('<span class="change" title="before: {}">{}</span>').format(before, text)
    ratio = float(now) / float(before) - 1
    direction = "up" if ratio > 0 else "down"
    if abs(ratio) < 0.005:  # noqa: PLR2004 - it would say 0 %
        return Markup('<span class="change">as before</span>')
    judged = "" if not worse else " worse" if direction == worse else " better"
    arrow = "▲" if ratio > 0 else "▼"
    times = f"× {1 + ratio:.1f}" if ratio >= 10 else percent_text(abs(ratio))  # noqa: PLR2004 - 1000 % says nothing
    return Markup(
        '<span class="change{}"><span aria-hidden="true">{}</span> {}<span class="sr"> {} than before</span></span>'
    ).format(judged, arrow, times, "more" if ratio > 0 else "less")


def size(number: int) -> str:
    """Bytes, in the unit that people say them in."""
    amount, unit = float(number), 0
    while amount >= 999.5 and unit < len(_SIZES) - 1:  # noqa: PLR2004 - would be written as 1000
        amount, unit = amount / _THOUSAND, unit + 1
    return f"{amount:.3g} {_SIZES[unit]}"


def unknown(title: str = "The senders did not say.") -> Markup:
    """What nobody knows, which is not zero."""
    return _NOTHING.format(title, UNKNOWN)


def nothing(title: str = "Nothing to measure.") -> Markup:
    """The place of a value where there is none."""
    return _NOTHING.format(title, "–")


def _at_least(bound: bool) -> Markup:  # noqa: FBT001 - private, and the name of the function says it
    return Markup('<span class="bound" title="At least: a part of it is not known.">≥ </span>') if bound else Markup("")


def _compact(number: float) -> str:
    scaled, scale = float(number), 0
    while abs(scaled) >= 999.5 and scale < len(_SCALES) - 1:  # noqa: PLR2004 - would be written as 1000
        scaled, scale = scaled / _THOUSAND, scale + 1
    if not scale and float(number).is_integer():
        return f"{scaled:.0f}"
    return f"{scaled:.3g}{_SCALES[scale]}"


def percent_text(ratio: float) -> str:
    """A percentage without an element around it."""
    percent = ratio * 100
    if percent and percent < 0.1:  # noqa: PLR2004 - a share that is not nothing is not shown as nothing
        return "< 0.1 %"
    return f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"  # noqa: PLR2004 - three digits at most


def _dollars(value: Decimal) -> str:
    """Cents; below one dollar, as many digits as say something."""
    if not value:
        return "$0"
    if abs(value) >= 1:
        return f"${value.quantize(_CENT, ROUND_HALF_UP):,}"
    if abs(value) < Decimal("0.000001"):
        return "< $0.000001"
    digits = max(2, 1 - value.adjusted())
    return f"${value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"
