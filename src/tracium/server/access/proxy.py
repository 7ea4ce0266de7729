"""Behind a proxy that speaks TLS: who may connect, and what the proxy is believed."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders

from tracium.server.access.answer import refused
from tracium.server.access.refusal import ForbiddenError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from tracium.server.access.protection import Network

# Orchestrators ask from wherever they are; the answer says nothing about data.
_FOR_ORCHESTRATORS: Final = "/health"


class BehindProxy:
    """ASGI middleware that answers the proxies, and commands of this machine, and nobody else.

    Whatever comes through a proxy came to it over TLS: the proxy may say otherwise with ``X-Forwarded-Proto: http``,
    and is then refused. Its ``X-Forwarded-Host`` counts as the Host. Nobody else is believed such headers.

    Args:
        app: what answers.
        networks: where the proxies are.
    """

    def __init__(self, app: ASGIApp, networks: tuple[Network, ...]) -> None:
        self._app = app
        self._networks = networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on as its client sent it to the proxy, or refuse it."""
        if scope["type"] == "http" and (cause := self._admit(scope)):
            await refused(scope, cause)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> ForbiddenError | None:
        address = _address(scope)
        if address is None or not any(address in network for network in self._networks):
            if (address is not None and address.is_loopback) or scope["path"] == _FOR_ORCHESTRATORS:
                return None
            return ForbiddenError("this server answers its proxy only. Use the proxy's address.")
        # What uvicorn compares with the networks has one form.
        scope["client"] = (str(address), scope["client"][1])
        # The client's own word may stand before the proxy's.
        if set(_listed(Headers(scope=scope), "x-forwarded-proto")) - {"https"}:
            return ForbiddenError("this request came to the proxy without TLS. Use https://")
        _take_over(scope)
        return None


def _take_over(scope: Scope) -> None:
    """Make a request look as it did to the proxy."""
    scope["scheme"] = "https"
    headers = MutableHeaders(scope=scope)
    # Of several proxies in a row the nearest one adds the last.
    if hosts := _listed(headers, "x-forwarded-host"):
        headers["host"] = hosts[-1]


def _listed(headers: Headers, name: str) -> list[str]:
    """The values of a header that is a list, whether with commas or by being there more than once."""
    return [value.strip() for line in headers.getlist(name) for value in line.split(",") if value.strip()]


def _address(scope: Scope) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(scope["client"][0])
    except (ValueError, TypeError):
        return None
    return getattr(address, "ipv4_mapped", None) or address
