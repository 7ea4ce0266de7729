"""The page of errors, those that are alike together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracium.server.queries.errors import errors

if TYPE_CHECKING:
    from starlette.responses import Response

    from tracium.server.pages.page import Page
    from tracium.server.store import Store


def errors_page(page: Page, store: Store) -> Response:
    """``GET /errors``."""
    return page.answer(
        "errors.html",
        store,
        {"report": lambda: errors(store, page.principal, page.question)},
        title="Errors",
        csv=page.export("errors.csv"),
        json=page.export("errors.json"),
    )
