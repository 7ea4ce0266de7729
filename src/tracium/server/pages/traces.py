"""The page of traces: the newest first, by what a span of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracium.server.access.principal import Grant
from tracium.server.queries.facets import Field, facets
from tracium.server.queries.tracefilter import Status, TraceFilter
from tracium.server.queries.traces import traces

if TYPE_CHECKING:
    from starlette.responses import Response

    from tracium.server.pages.page import Page
    from tracium.server.pages.view import View
    from tracium.server.store import Store

_ROWS: Final = 50
_NAMES: Final = 30
_FACETS: Final = (Field.SERVICE, Field.MODEL, Field.OPERATION)
FILTERS: Final = ("status", "service", "model", "agent", "user", "session", "operation", "text", "minimum_ms")
OWN: Final = frozenset({*FILTERS, "cursor"})


def traces_page(page: Page, store: Store) -> Response:
    """``GET /traces``."""
    view, asker, question, wanted = page.view, page.principal, page.question, _wanted(page)
    own = {name: view.get(name) for name in FILTERS}
    return page.answer(
        "traces.html",
        store,
        {
            "found": lambda: facets(store, asker, question, _FACETS, limit=_NAMES).rows,
            "report": lambda: traces(store, asker, question, wanted, limit=_ROWS, after=view.get("cursor")),
        },
        title="Traces",
        filters=own,
        filtered=any(own.values()),
        csv=page.export("traces.csv", **own),
        json=page.export("traces.json", **own),
    )


def _wanted(page: Page) -> TraceFilter:
    view = page.view
    return TraceFilter(
        status=_status(view),
        model=view.get("model"),
        agent=view.get("agent"),
        user=view.get("user"),
        session=view.get("session"),
        operation=view.get("operation"),
        text=view.get("text"),
        # Who may not see everything learns nothing of it by searching.
        with_attributes=all(map(page.principal.may, (Grant.ATTRIBUTES, Grant.CONTENT, Grant.STACKTRACES))),
        minimum_ms=_minimum(view),
    )


def _status(view: View) -> Status | None:
    text = view.get("status")
    try:
        return Status(text) if text else None
    except ValueError as error:
        raise ValueError(f"status={text!r} is none: choose from {', '.join(Status)}") from error


def _minimum(view: View) -> float | None:
    text = view.get("minimum_ms")
    try:
        least = float(text) if text else None
    except ValueError:
        least = -1
    if least is not None and not 0 <= least < float("inf"):
        raise ValueError(f"minimum_ms={text!r} is no number of milliseconds")
    return least
