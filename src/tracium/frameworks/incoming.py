"""A request as resolvers see it, whatever the framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SPACE: Final = " \t"
"""What may stand around a header's value and is no part of it: RFC 9110, section 5.5."""


class IncomingRequest(ABC):
    """What a tenant may be told by.

    Attributes:
        native: The framework's own request, which is what a callable is given.
        in_event_loop: Whether resolvers run in an event loop, and must not block.
    """

    in_event_loop = False

    def __init__(self, native: object) -> None:
        self.native = native

    @abstractmethod
    def headers(self, name: str) -> list[str]:
        """The values of a header, one for each time that it was sent, as far as the server keeps them apart."""

    def cookies(self, name: str) -> list[str]:
        """The values of a cookie, as they were sent: https://www.rfc-editor.org/rfc/rfc6265#section-4.2."""
        pairs = (pair.partition("=") for sent in self.headers("Cookie") for pair in sent.split(";"))
        return [value.strip(SPACE) for key, _, value in pairs if key.strip(SPACE) == name]

    @property
    @abstractmethod
    def path(self) -> str:
        """The whole decoded path."""

    @property
    def host(self) -> str | None:
        """The name that the client asked for, in lower case, without a port."""
        values = self.headers("Host")
        return plain_host(values[0]) if len(values) == 1 else None


class AsgiRequest(IncomingRequest):
    """An ASGI scope: https://asgi.readthedocs.io/en/latest/specs/www.html."""

    in_event_loop = True

    def __init__(self, scope: Mapping[str, Any], native: object) -> None:
        super().__init__(native)
        self._scope = scope

    def headers(self, name: str) -> list[str]:
        """As the specification has it: a list of pairs of bytes, names in lower case."""
        wanted = name.lower().encode("latin-1")
        return [_text(value) for key, value in self._scope["headers"] if key.lower() == wanted]

    @property
    def path(self) -> str:
        """As the server decoded it."""
        path: str = self._scope["path"]
        return path


class WsgiRequest(IncomingRequest):
    """A WSGI environ: https://peps.python.org/pep-3333/."""

    def __init__(self, environ: Mapping[str, Any], native: object) -> None:
        super().__init__(native)
        self._environ = environ

    def headers(self, name: str) -> list[str]:
        """Servers join the values of several headers of one name with a comma, so that nobody can tell them from one."""
        value = self._environ.get(f"HTTP_{name.upper().replace('-', '_')}")
        return [] if value is None else _text(_bytes(value)).split(",")

    @property
    def path(self) -> str:
        """With the part that leads to the app."""
        return _text(_bytes(self._environ.get("SCRIPT_NAME", "") + self._environ.get("PATH_INFO", "")))


def plain_host(host: str) -> str | None:
    """A host in lower case, without a port and the root's dot; None if nothing is left."""
    plain = host.strip(SPACE).lower()
    name, _, port = plain.rpartition(":")
    return (name if name and port.isdecimal() else plain).removesuffix(".") or None


def _bytes(native: str) -> bytes:
    """What a WSGI string stands for; Django's own strings may be decoded already."""
    try:
        return native.encode("latin-1")
    except UnicodeEncodeError:
        return native.encode("utf-8", "surrogatepass")


def _text(value: bytes) -> str:
    """A header's bytes as text: UTF-8 as clients send it today, else Latin-1 as HTTP had it."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
