"""The page on which a browser shows a token, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import HTMLResponse

from tracium.server.pages.page import theme_of

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request

_HOME: Final = "/overview"


class SignIn:
    """Asks for a token; `signin.js` changes it for a cookie that no script can read."""

    def __init__(self, templates: Environment) -> None:
        self._templates = templates

    async def page(self, request: Request) -> HTMLResponse:
        """``GET /sign-in?next=PLACE``."""
        html = self._templates.get_template("signin.html").render(
            next=_own(request.query_params.get("next", "")), theme=theme_of(request)
        )
        return HTMLResponse(html, headers={"Cache-Control": "no-store"})


def _own(place: str) -> str:
    """A place on this server; anything that a browser could read as another one is not followed."""
    if not place.startswith("/") or place.startswith(("//", "/\\")) or not place.isprintable():
        return _HOME
    return place
