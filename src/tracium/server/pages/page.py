"""One request for a page, and what it is answered with."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import HTMLResponse

from tracium.server.access.audit import Audit
from tracium.server.access.gate import origin_of, peer_of
from tracium.server.access.principal import Grant, Kind
from tracium.server.pages.answers import Answers
from tracium.server.pages.failure import FAILURES, failure
from tracium.server.pages.navigation import entries
from tracium.server.pages.period import PRESETS
from tracium.server.pages.streaming import FLUSH, streamed
from tracium.server.queries.question import Question
from tracium.server.queries.tenantfilter import TenantFilter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from jinja2 import Environment, Template
    from starlette.requests import Request
    from starlette.responses import Response

    from tracium.server.access.principal import Principal
    from tracium.server.pages.answers import Questions
    from tracium.server.pages.view import View
    from tracium.server.scope import TenantScope
    from tracium.server.store import Store

_THEME_COOKIE: Final = "tracium_theme"
_THEMES: Final = frozenset({"light", "dark"})
# What is shown belongs to whoever asks: nobody else's browser or proxy keeps it.
_HEADERS: Final = {"Cache-Control": "no-store"}
# What takes no longer is sent at once; a reader sees no difference.
_MOMENT_SECONDS: Final = 0.12


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

    def render(self, template: str, **values: Any) -> HTMLResponse:
        """Answer with a template.

        Args:
            template: its file name.
            values: what it shows, besides what every page has.
        """
        return HTMLResponse(self._template(template).render(self._values(values)), headers=_HEADERS)

    def answer(self, template: str, store: Store, asked: Questions, **values: Any) -> Response:
        """Answer with a template that shows answers of the store, as soon as there are some.

        If they take longer than a moment, the frame of the page is sent before they are there, and what the template
        shows of them when it comes to it. Whoever asks was let in before; what goes wrong from then on is said in the
        page, as its status is sent already.

        Args:
            template: its file name; it has the answers by ``answer(name)``, and writes ``flush`` before it needs one.
            store: who is asked.
            asked: the questions.
            values: what it shows besides.

        Raises:
            StoreError: the store does not answer.
            ValueError: a question is none.
        """
        store.rows(self.scope, "SELECT 1 AS one")
        with ExitStack() as opened:
            answers = opened.enter_context(closing(Answers(asked)))
            if answers.within(None if self._is_whole else _MOMENT_SECONDS):
                return self.render(template, answer=answers, **values)
            opened.pop_all()
        return streamed(self._pieces(template, answers, values), self.request, _HEADERS)

    @property
    def _is_whole(self) -> bool:
        """Whether the answer is sent in one piece: only the store knows whether a cursor is one, and HEAD has no pieces."""
        return self.request.method != "GET" or self.view.get("cursor") is not None

    def _pieces(self, template: str, answers: Answers, values: dict[str, Any]) -> Iterator[str]:
        made = self._template(template).generate(self._values({**values, "answer": answers, "flush": FLUSH}))
        with closing(answers):
            try:
                yield from made
            except FAILURES as error:
                _, sentence = failure(error, self.principal)
                yield self._template("failed.html").render(self._values({"sentence": sentence}))

    def _template(self, name: str) -> Template:
        return self.templates.get_template(name)

    def _values(self, values: dict[str, Any]) -> dict[str, Any]:
        return {
            "page": self,
            "view": self.view,
            "link": self.view.link,
            "here": self.view.here,
            "navigation": entries(self.principal.kind),
            "presets": PRESETS,
            "theme": theme_of(self.request),
            "endpoint": origin_of(self.request),
            "flush": "",
            **values,
        }


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def theme_of(request: Request) -> str:
    """The reader's choice of light or dark, so that no page flashes; empty: as the system has it."""
    theme = request.cookies.get(_THEME_COOKIE, "")
    return theme if theme in _THEMES else ""
