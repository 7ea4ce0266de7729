"""All pages of a store, as routes."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.middleware import Middleware
from starlette.responses import RedirectResponse
from starlette.routing import Route, Router

from tracium.server.access.route import ANYONE, EVERY_KIND, Audience, GuardedMount, GuardedRoute
from tracium.server.pages.assets import Assets
from tracium.server.pages.failure import FAILURES, failure
from tracium.server.pages.page import Page
from tracium.server.pages.problem import ProblemPages, problem
from tracium.server.pages.signin import SignIn
from tracium.server.pages.templating import environment
from tracium.server.pages.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request
    from starlette.responses import Response

    from tracium.server.store import Store


@dataclass(frozen=True, slots=True)
class PageRoute:
    """A path, and the function that answers it.

    Raises:
        ValueError: by `answer`, for a URL that it does not understand; the message is a sentence.
        LookupError: by `answer`, if there is nothing of that name; the message is a sentence.
    """

    path: str
    answer: Callable[[Page, Store], Response]
    audience: Audience
    # Parameters that it understands, besides those of every page.
    own: frozenset[str] = frozenset()
    # Where its rows are in the API, below ``/api/v1``; None: it is more than one kind of rows.
    rows: str | None = None


class Site:
    """The pages of one store.

    Args:
        store: where what they show comes from.
        pages: which there are.
    """

    def __init__(self, store: Store, pages: Iterable[PageRoute]) -> None:
        self._store = store
        self._pages = tuple(pages)
        self._assets = Assets()
        self._templates = environment(self._assets)
        self._templates.globals["version"] = importlib.metadata.version("tracium")

    def routes(self) -> list[GuardedRoute | GuardedMount]:
        """Every route, with whom it answers."""
        files = Router(routes=[Route("/{version}/{name:path}", self._assets.answer)])
        return [
            GuardedMount("/static", files, ANYONE),
            GuardedRoute("GET", "/sign-in", SignIn(self._templates).page, ANYONE),
            GuardedRoute("GET", "/", _home, EVERY_KIND),
            *(GuardedRoute("GET", page.path, self._endpoint(page), page.audience) for page in self._pages),
            *(
                GuardedRoute("GET", f"{page.path}.{form}", self._export(page, form), page.audience)
                for page in self._pages
                for form in ("csv", "json")
                if page.rows is not None
            ),
        ]

    def middleware(self) -> Middleware:
        """What makes errors readable; it belongs around everything that can refuse."""
        return Middleware(ProblemPages, templates=self._templates)

    def _endpoint(self, route: PageRoute) -> Callable[[Request], Response]:
        return self._guarded(route, lambda page: route.answer(page, self._store))

    def _export(self, route: PageRoute, form: str) -> Callable[[Request], Response]:
        """The page's URL with an ending: the way to the same rows in the API."""

        def export(page: Page) -> Response:
            # From the first row on: not every endpoint gives its rows by pages.
            own = {name: page.view.all(name) for name in route.own - {"cursor"}}
            return RedirectResponse(page.export(f"{route.rows}.{form}", **own), 307)

        return self._guarded(route, export)

    def _guarded(self, route: PageRoute, answer: Callable[[Page], Response]) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            try:
                view = View.read(request.url.path, request.query_params, datetime.now(UTC), route.own)
                return answer(Page(request, view, request.state.principal, self._templates))
            except FAILURES as error:
                return problem(self._templates, request, *failure(error, request.state.principal))

        return endpoint


def _home(request: Request) -> Response:
    """``GET /``: the overview."""
    query = request.url.query
    return RedirectResponse(f"/overview?{query}" if query else "/overview", 307)
