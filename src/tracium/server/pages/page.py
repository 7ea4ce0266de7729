"""One request for a page, and what it is answered with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import HTMLResponse

from tracium.server.access.audit import Audit
from tracium.server.access.gate import origin_of, peer_of
from tracium.server.access.principal import Grant, Kind
from tracium.server.pages.navigation import entries
from tracium.server.pages.period import PRESETS
from tracium.server.queries.question import Question
from tracium.server.queries.tenantfilter import TenantFilter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from jinja2 import Environment
    from starlette.requests import Request

    from tracium.server.access.principal import Principal
    from tracium.server.pages.view import View
    from tracium.server.scope import TenantScope
    from tracium.server.store import Store

_THEME_COOKIE: Final = "tracium_theme"
_THEMES: Final = frozenset({"light", "dark"})
# What is shown belongs to whoever asks: nobody else's browser or proxy keeps it.
_HEADERS: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Page:
    """Who asks for what, and the templates to answer with."""

    request: Request
    view: View
    principal: Principal
    templates: Environment

    @property
    def scope(self) -> TenantScope:
        """The wall: whose data the one who asks may see at all."""
        return self.principal.scope

    @property
    def shows_cost(self) -> bool:
        """Whether money is for their eyes."""
        return self.principal.may(Grant.COST)

    @property
    def shows_traces(self) -> bool:
        """Whether more than numbers is."""
        return self.principal.kind in {Kind.READ, Kind.ADMIN}

    @property
    def only_tenant(self) -> str | None:
        """The tenant that everything here is about, if there is no choice."""
        scope = self.scope
        return scope.ids[0] if len(scope.ids) == 1 and not scope.prefixes else None

    @property
    def question(self) -> Question:
        """What the URL asks the store."""
        view = self.view
        return Question(
            view.period.range,
            TenantFilter.of(*view.tenants, with_none=view.none),
            environment=view.environment,
            timezone=view.zone.key,
        )

    @property
    def question_of_all(self) -> Question:
        """The same of every tenant that may be seen."""
        return replace(self.question, tenants=TenantFilter())

    def note_reading(self, store: Store, target: str) -> None:
        """Write into the audit log that content is read; to be called before it is shown.

        Args:
            store: where the log is.
            target: what is read, such as a trace's id.

        Raises:
            StoreError: it could not be written: nothing is to be shown.
        """
        Audit(store).note(self.principal, "content.read", target, address=peer_of(self.request))

    def export(self, path: str, **parameters: str | int | Iterable[str] | None) -> str:
        """The URL of the same rows in the API: with the moments that this page shows, whenever it is followed.

        Args:
            path: below ``/api/v1``.
            parameters: what the rows need besides tenant, time and environment.
        """
        moments = {"from_": _iso(self.view.period.range.start), "to": _iso(self.view.period.range.end)}
        left_out = {"range": None, "live": None, "compare": None}
        return self.view.link(f"/api/v1/{path}", **{**moments, **left_out, **parameters})

    def render(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Answer with a template.

        Args:
            template: its file name.
            status: the HTTP status.
            values: what it shows, besides what every page has.
        """
        html = self.templates.get_template(template).render(
            page=self,
            view=self.view,
            link=self.view.link,
            here=self.view.here,
            navigation=entries(self.principal.kind),
            presets=PRESETS,
            theme=theme_of(self.request),
            endpoint=origin_of(self.request),
            **values,
        )
        return HTMLResponse(html, status, _HEADERS)


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def theme_of(request: Request) -> str:
    """The reader's choice of light or dark, so that no page flashes; empty: as the system has it."""
    theme = request.cookies.get(_THEME_COOKIE, "")
    return theme if theme in _THEMES else ""
