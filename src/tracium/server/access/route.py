"""Routes that say whom they answer; `Gate` finds out who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.routing import Mount, Route

from tracium.server.access.answer import refused
from tracium.server.access.principal import Kind
from tracium.server.access.refusal import ForbiddenError, UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from re import Pattern

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

    from tracium.server.access.principal import Principal
    from tracium.server.refusal import Refusal

Audience: TypeAlias = frozenset[Kind] | None
"""The kinds of tokens that a route answers; None: whoever asks, without a token."""

ANYONE: Final[Audience] = None
INGEST: Final[Audience] = frozenset({Kind.INGEST, Kind.ADMIN})
NUMBERS: Final[Audience] = frozenset({Kind.USAGE, Kind.READ, Kind.ADMIN})
TRACES: Final[Audience] = frozenset({Kind.READ, Kind.ADMIN})
ADMIN: Final[Audience] = frozenset({Kind.ADMIN})
EVERY_KIND: Final[Audience] = frozenset(Kind)


class _Whole(StringConvertor):
    """What is left of a path, line breaks too, which Starlette's own does not take."""

    regex = "(?s:.*)"


register_url_convertor("whole", _Whole())


class GuardedRoute(Route):
    """One method of one path, with the kinds of tokens that it answers.

    Args:
        method: such as ``GET``, which answers HEAD too.
        path: as Starlette writes paths; ``{id:whole}`` is a part that may hold slashes and line breaks.
        endpoint: a function, which runs in a thread, or a coroutine function.
        audience: whom it answers.
    """

    def __init__(self, method: str, path: str, endpoint: Any, audience: Audience) -> None:
        super().__init__(path, endpoint, methods=[method])
        self.audience: Final = audience

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse whoever is not to be answered."""
        # What is not this route's method is answered with 405 by the base class.
        if scope["method"] in (self.methods or ()) and (cause := _refusal(scope, self.audience)):
            await refused(scope, cause)(scope, receive, send)
        else:
            await super().handle(scope, receive, send)


class GuardedMount(Mount):
    """An application below a path, such as one that serves files, with the kinds of tokens that it answers."""

    def __init__(self, path: str, app: ASGIApp, audience: Audience) -> None:
        super().__init__(path, app)
        self.audience: Final = audience

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse whoever is not to be answered."""
        if cause := _refusal(scope, self.audience):
            await refused(scope, cause)(scope, receive, send)
        else:
            await super().handle(scope, receive, send)


class OpenPaths:
    """The paths that are answered to anyone; made from the routes, of which each has to be guarded.

    Raises:
        TypeError: a route says nothing of whom it answers.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes: list[tuple[Pattern[str], Collection[str]]] = []
        below: list[str] = []
        for route in routes:
            if not isinstance(route, (GuardedRoute, GuardedMount)):
                raise TypeError(f"{route!r} does not say whom it answers: make it a GuardedRoute or a GuardedMount.")
            if route.audience is None and isinstance(route, GuardedMount):
                below.append(f"{route.path}/")
            elif route.audience is None and isinstance(route, GuardedRoute):
                self._routes.append((route.path_regex, route.methods or ()))
        self._below = tuple(below)

    def has(self, method: str, path: str) -> bool:
        """Whether a request to `path` is answered whoever sends it."""
        return path.startswith(self._below) or any(
            method in methods and pattern.match(path) for pattern, methods in self._routes
        )


def _refusal(scope: Scope, audience: Audience) -> Refusal | None:
    if audience is None:
        return None
    principal: Principal | None = scope.get("state", {}).get("principal")
    if principal is None:
        return UnauthenticatedError(shown=False)
    if principal.kind in audience:
        return None
    kinds = " or ".join(sorted(audience))
    return ForbiddenError(f"a token of kind {principal.kind} is not for this: it takes one of kind {kinds}.")
