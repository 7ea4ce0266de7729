"""The page of whoever runs the server: tokens, retention, storage, erasure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tracium.server.access.administration import Administration
from tracium.server.access.principal import Grant, Kind
from tracium.server.keeping.held import Signal
from tracium.server.keeping.keeper import Keeper
from tracium.server.queries.models import unpriced

if TYPE_CHECKING:
    from starlette.responses import Response

    from tracium.server.pages.page import Page
    from tracium.server.store import Store

OWN: Final = frozenset({"storage"})


def settings_page(page: Page, store: Store) -> Response:
    """``GET /settings``; with ``storage=true`` it measures what is on the disk, which takes a moment."""
    keeper = Keeper(store, page.principal)
    return page.render(
        "settings.html",
        title="Settings",
        tokens=Administration(store, page.principal).tokens(),
        now=datetime.now(UTC),
        kinds=list(Kind),
        grants=list(Grant),
        rules=keeper.rules(),
        signals=list(Signal),
        unpriced=unpriced(store, page.principal, page.question).rows,
        sizes=keeper.sizes() if page.view.get("storage") == "true" else None,
    )
