"""The page of one tenant: the same numbers as of everybody, and what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import RedirectResponse

from tracium.server.queries.errors import errors
from tracium.server.queries.facets import Field, facets
from tracium.server.queries.models import models
from tracium.server.queries.series import overview
from tracium.server.queries.traces import traces

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from tracium.server.pages.page import Page
    from tracium.server.store import Store

_RECENT: Final = 10
_NAMES: Final = 12


def tenant_page(page: Page, store: Store) -> Response:
    """``GET /tenant?tenant=NAME``, or with ``none=true`` what belongs to no tenant."""
    view, asker, question = page.view, page.principal, page.question
    if not view.tenants and not view.none:
        return RedirectResponse(view.link("/tenants"), 303)
    name = ", ".join(view.tenants) if view.tenants else "(none)"
    asked: dict[str, Callable[[], object]] = {
        "whole": lambda: overview(store, asker, question, compare=view.compare),
        "models": lambda: models(store, asker, question).rows,
    }
    # Only who may read traces sees names out of them.
    if page.shows_traces:
        asked |= {
            "names": lambda: facets(store, asker, question, (Field.AGENT, Field.USER), limit=_NAMES).rows,
            "errors": lambda: errors(store, asker, question, limit=_RECENT).rows,
            "traces": lambda: traces(store, asker, question, limit=_RECENT).rows,
        }
    return page.answer(
        "tenant.html",
        store,
        asked,
        title=name,
        called=name,
        csv=page.export("models.csv"),
        json=page.export("overview.json"),
    )
