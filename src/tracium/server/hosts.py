"""The names under which the server answers.

A web page whose name is made to point to this machine (DNS rebinding) may send and read everything, as far as the
browser is concerned; only the Host header tells it apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


class HostAllowList:
    """ASGI middleware that refuses a request whose Host header names another host, whatever the port."""

    def __init__(self, app: ASGIApp, allowed: Iterable[str]) -> None:
        self._app = app
        self._allowed = frozenset(map(str.lower, allowed))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with 421."""
        if scope["type"] == "http":
            # Of two, a proxy may have looked at the other one.
            hosts = Headers(scope=scope).getlist("host")
            host = ", ".join(hosts)
            if len(hosts) != 1 or _name(host) not in self._allowed:
                await self._refusal(host)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, host: str) -> PlainTextResponse:
        known = ", ".join(sorted(self._allowed))
        return PlainTextResponse(
            f"this server does not answer to the Host {host!r}, only to {known}. "
            "Start it with --allow-host NAME to add one.\n",
            421,
        )


def _name(host: str) -> str:
    """A Host header without its port: ``[::1]:4318`` is ``[::1]``."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
