"""The page of a session: a conversation over many traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracium.server.queries.session import session

if TYPE_CHECKING:
    from starlette.responses import Response

    from tracium.server.pages.page import Page
    from tracium.server.store import Store

OWN: Final = frozenset({"session"})


def session_page(page: Page, store: Store) -> Response:
    """``GET /session?session=ID``."""
    name = page.view.get("session")
    if name is None:
        raise ValueError("say which session: session=ID")
    found = session(store, page.principal, page.question, name)
    if found.has_content:
        page.note_reading(store, name)
    return page.render("session.html", title=f"Session {name}", session=found, session_id=name)
