"""The page for whoever writes the bills: month by tenant by model."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

from tracium.server.queries import cursor
from tracium.server.queries.models import UsageExport, UsageLine, unpriced, usage_export
from tracium.server.queries.series import total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from tracium.server.pages.page import Page
    from tracium.server.store import Store

OWN: Final = frozenset({"cursor"})
_ROWS: Final = 200


def usage_page(page: Page, store: Store) -> Response:
    """``GET /usage``; the sum in it is that of all its pages."""
    asker, question = page.principal, page.question
    return page.answer(
        "usage.html",
        store,
        {
            "report": lambda: usage_export(store, asker, question),
            "total": lambda: total(store, asker, question),
            "unpriced": lambda: unpriced(store, asker, question).rows,
        },
        title="Usage",
        place=place_of(page.view.get("cursor")),
        lines=lines,
        csv=page.export("usage.csv"),
        json=page.export("usage.json"),
    )


def lines(
    report: UsageExport, place: tuple[Any, ...] | None, limit: int = _ROWS
) -> tuple[Sequence[UsageLine], str | None]:
    """The lines of one page, from `place` on, and where the next page begins."""
    first = 0 if place is None else bisect_right(report.rows, place, key=_key)
    shown = report.rows[first : first + limit]
    if first + len(shown) == len(report.rows):
        return shown, None
    last = shown[-1]
    return shown, cursor.write(last.month, last.tenant, last.provider, last.model)


def place_of(after: str | None) -> tuple[Any, ...] | None:
    """Where a page begins.

    Raises:
        CursorError: nowhere.
    """
    if after is None:
        return None
    month, tenant, provider, model = cursor.read(after, (str,), (str, None), (str,), (str,))
    return month, tenant is None, tenant or "", provider, model


def _key(line: UsageLine) -> tuple[Any, ...]:
    return line.month, line.tenant is None, line.tenant or "", line.provider, line.model
