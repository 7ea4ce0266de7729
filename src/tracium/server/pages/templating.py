"""The templates, and what they can call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from tracium.server.pages import formatting, sparkline

if TYPE_CHECKING:
    from tracium.server.pages.assets import Assets


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
        "moment": formatting.moment,
        "money": formatting.money,
        "nothing": formatting.nothing,
        "share": formatting.share,
        "spark": sparkline.line,
        "unknown": formatting.unknown,
    }
    made.filters["pretty_json"] = _pretty
    return made


def _pretty(text: str) -> str:
    """JSON with indents; what is none stays as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
