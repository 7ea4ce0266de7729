"""The page for whoever writes the bills: month by tenant by model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracium.server.queries.models import unpriced, usage_export
from tracium.server.queries.series import total

if TYPE_CHECKING:
    from starlette.responses import Response

    from tracium.server.pages.page import Page
    from tracium.server.store import Store


def usage_page(page: Page, store: Store) -> Response:
    """``GET /usage``."""
    return page.render(
        "usage.html",
        title="Usage",
        report=usage_export(store, page.principal, page.question),
        total=total(store, page.principal, page.question),
        unpriced=unpriced(store, page.principal, page.question).rows,
        csv=page.export("usage.csv"),
        json=page.export("usage.json"),
    )
