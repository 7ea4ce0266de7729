"""The templates, and what they can call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from tracium.server.pages import characters, formatting, sparkline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from tracium.server.pages.assets import Assets
    from tracium.server.queries.compare import TenantCourse
    from tracium.server.queries.facets import Facet
    from tracium.server.queries.series import Point


def environment(assets: Assets) -> Environment:
    """Templates that escape everything, and in which a name that does not exist is an error."""
    made = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "asset": assets.url,
        "bar": sparkline.bar,
        "change": formatting.change,
        "compact": formatting.compact,
        "cost": formatting.cost,
        "count": formatting.count,
        "duration": formatting.duration,
        "duration_text": formatting.duration_text,
        "hides": characters.hides,
        "is_bad": formatting.is_bad,
        "moment": formatting.moment,
        "money": formatting.money,
        "name": characters.name,
        "nothing": formatting.nothing,
        "ratio": formatting.ratio,
        "share": formatting.share,
        "size": formatting.size,
        "spark": sparkline.line,
        "text": characters.text,
        "unknown": formatting.unknown,
        "visible": characters.visible,
    }
    made.filters |= {"across": _across, "of": _of, "pairs": _pairs}
    return made


def _pairs(points: Iterable[Point], *names: str) -> list[tuple[datetime, list[object]]]:
    """The rows of a chart out of points: a moment, and a value for each name."""
    return [(point.time, [getattr(point, name) for name in names]) for point in points]


def _of(found: Iterable[Facet], field: str) -> list[str]:
    """The values of one field out of facets of several."""
    return [one.value for one in found if one.field == field]


def _across(courses: Sequence[TenantCourse], name: str) -> list[tuple[datetime, list[object]]]:
    """The rows of a chart out of several tenants' courses: a moment, and a value for each tenant."""
    return [
        (points[0].time, [getattr(point, name) for point in points])
        for points in zip(*(course.points for course in courses), strict=True)
    ]
