"""What goes wrong, as a page: for whoever came with a browser."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tracium.server.pages.page import theme_of

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Those are for programs, whatever they say that they accept.
_PROGRAMS: Final = ("/api/", "/v1/", "/static/", "/health", "/ready")
_UNAUTHENTICATED: Final = 401
_FIRST_ERROR: Final = 400
_ADVICE: Final = {
    400: "The address of this page says something that it does not understand.",
    403: "You are signed in, but this is not for the token that you signed in with.",
    404: "There is no such page. It may have been kept for a time that is over, or belong to somebody else.",
    421: "The server is reached under a name that it does not know.",
    429: "Wait a minute, and try again.",
    503: "The store does not answer at the moment. The page asks again when you reload it.",
}


class ProblemPages:
    """ASGI middleware: an error that a browser would show as JSON becomes a page, a missing sign-in the way to it."""

    def __init__(self, app: ASGIApp, templates: Environment) -> None:
        self._app = app
        self._templates = templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and read its answer if it is an error."""
        if not _is_of_a_reader(scope):
            await self._app(scope, receive, send)
            return
        held = _Held(send)
        await self._app(scope, receive, held.send)
        if held.start is not None:
            await self._page(Request(scope), held)(scope, receive, send)

    def _page(self, request: Request, held: _Held) -> Response:
        if held.status == _UNAUTHENTICATED and request.method in {"GET", "HEAD"}:
            query = request.url.query
            place = f"{request.url.path}?{query}" if query else request.url.path
            return RedirectResponse(f"/sign-in?next={quote(place)}", 303, {"Cache-Control": "no-store"})
        return problem(self._templates, request, held.status, held.sentence)


class _Held:
    """Lets an answer through, unless it is an error that is no page already."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.start: Message | None = None
        self._body = bytearray()

    @property
    def status(self) -> int:
        return int(self.start["status"]) if self.start else 0

    @property
    def sentence(self) -> str:
        text = bytes(self._body).decode("utf-8", "replace")
        try:
            return str(json.loads(text)["error"])
        except (ValueError, KeyError, TypeError):
            return text.strip()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_to_be_page(message):
            self.start = message
        elif self.start is None:
            await self._send(message)
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")


def problem(templates: Environment, request: Request, status: int, sentence: str) -> Response:
    """A page that says what happened and what to do.

    Args:
        templates: the templates.
        request: what is answered.
        status: the HTTP status.
        sentence: what happened.
    """
    html = templates.get_template("problem.html").render(
        status=status,
        title=HTTPStatus(status).phrase,
        sentence=sentence,
        advice=_ADVICE.get(status, ""),
        theme=theme_of(request),
    )
    return HTMLResponse(html, status, {"Cache-Control": "no-store"})


def _is_of_a_reader(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["path"].startswith(_PROGRAMS):
        return False
    return "text/html" in Headers(scope=scope).get("accept", "")


def _is_to_be_page(start: Message) -> bool:
    if start["status"] < _FIRST_ERROR:
        return False
    return not Headers(raw=start["headers"]).get("content-type", "").startswith("text/html")
