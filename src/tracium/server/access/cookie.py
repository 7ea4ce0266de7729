"""The cookie by which a browser stays logged in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection
    from starlette.responses import Response

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Cookie:
    """The name and flags of the cookie for one origin."""

    # Such as http://localhost:4318.
    origin: str

    @property
    def name(self) -> str:
        """Cookies ignore ports, so that the port stands in the name; ``__Host-`` ties it to this host and to TLS."""
        return f"{'__Host-' if self._secure else ''}tracium_{self._port}"

    def read(self, connection: HTTPConnection) -> str | None:
        """The token in it, if a request has it."""
        return connection.cookies.get(self.name)

    def put(self, response: Response, token: str) -> None:
        """Set it until the browser ends: no script reads it, and no other site sends it."""
        response.set_cookie(self.name, token, path="/", secure=self._secure, httponly=True, samesite="strict")

    def remove(self, response: Response) -> None:
        """Make the browser forget it."""
        response.delete_cookie(self.name, path="/", secure=self._secure, httponly=True, samesite="strict")

    @property
    def _port(self) -> int:
        parts = urlsplit(self.origin)
        try:
            return parts.port or _DEFAULT_PORTS[parts.scheme]
        except ValueError:
            # No browser sends such a number, and there is no cookie of this name.
            return 0

    @property
    def _secure(self) -> bool:
        return self.origin.startswith("https:")
