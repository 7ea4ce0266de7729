"""Small lines and bars as SVG, placed by attributes: the policy of the pages allows no style."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH: Final = 96
_HEIGHT: Final = 24
_MARGIN: Final = 2


def line(values: Sequence[float | None], title: str = "", width: int = _WIDTH, height: int = _HEIGHT) -> Markup:
    """A line through values at even distances; where one is None, there is a gap.

    Args:
        values: the values, from zero up.
        title: what a screen reader says; without one it is decoration.
        width: in pixels.
        height: in pixels.
    """
    known = [value for value in values if value is not None]
    if not known:
        return Markup("")
    top = max(known) or 1
    step = (width - 2 * _MARGIN) / max(len(values) - 1, 1)
    points = [
        None if value is None else (_MARGIN + index * step, height - _MARGIN - value / top * (height - 2 * _MARGIN))
        for index, value in enumerate(values)
    ]
    said = Markup('role="img" aria-label="{}"').format(title) if title else Markup('aria-hidden="true"')
    return Markup(
        '<svg class="spark" {} viewBox="0 0 {} {}" width="{}" height="{}" preserveAspectRatio="none"><path d="{}"/></svg>'
    ).format(said, width, height, width, height, _path(points))


def bar(ratio: float | None, width: int = _WIDTH) -> Markup:
    """A bar for a ratio from 0 to 1, as decoration beside its number."""
    if ratio is None:
        return Markup("")
    filled = round(max(0.0, min(ratio, 1.0)) * width, 1)
    return Markup(
        '<svg class="bar" aria-hidden="true" viewBox="0 0 {} 6" width="{}" height="6">'
        '<rect class="rail" width="{}" height="6" rx="3"/><rect width="{}" height="6" rx="3"/></svg>'
    ).format(width, width, width, filled)


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    parts, pen = [], "M"
    for index, point in enumerate(points):
        if point is None:
            pen = "M"
            continue
        parts.append(f"{pen}{point[0]:.1f} {point[1]:.1f}")
        # A point that stands alone is a short stroke.
        if pen == "M" and (index + 1 == len(points) or points[index + 1] is None):
            parts.append("h1")
        pen = "L"
    return "".join(parts)
