"""The page that is opened first: everything at once, and where to look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracium.server.queries.models import models
from tracium.server.queries.series import overview
from tracium.server.queries.tenants import TenantOrder, tenants

if TYPE_CHECKING:
    from starlette.responses import Response

    from tracium.server.pages.page import Page
    from tracium.server.store import Store

_TOP: Final = 8


def overview_page(page: Page, store: Store) -> Response:
    """``GET /overview``."""
    asker, question, compare = page.principal, page.question, page.view.compare
    by: TenantOrder = "cost" if page.shows_cost else "tokens"
    return page.answer(
        "overview.html",
        store,
        {
            "whole": lambda: overview(store, asker, question, compare=compare),
            "top": lambda: tenants(store, asker, question, sort=by, limit=_TOP, compare=False),
            "models": lambda: models(store, asker, question).rows[:_TOP],
        },
        title="Overview",
        csv=page.export("overview.csv"),
        json=page.export("overview.json"),
    )
