"""What servers hand over, as carriers: the headers in it, and who sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.propagators.textmap import Getter

if TYPE_CHECKING:
    from collections.abc import Mapping


class ServerGetter(Getter[Any]):
    """Reads the headers in an ASGI scope or a WSGI environ."""

    def get(self, carrier: Mapping[str, Any], key: str) -> list[str] | None:
        """All values of one header."""
        headers = carrier.get("headers")
        if headers is not None:
            name = key.lower().encode()
            return [_text(value) for other, value in headers if other.lower() == name] or None
        value = carrier.get(f"HTTP_{key.upper().replace('-', '_')}")
        return None if value is None else [_text(_bytes(value))]

    def keys(self, carrier: Mapping[str, Any]) -> list[str]:
        """The names of all headers."""
        headers = carrier.get("headers")
        if headers is not None:
            return [name.decode("latin-1").lower() for name, _ in headers]
        return [name[5:].replace("_", "-").lower() for name in carrier if name.startswith("HTTP_")]


GETTER: Final = ServerGetter()


def _bytes(native: str) -> bytes:
    """What a WSGI string stands for; one that is decoded already has other characters."""
    try:
        return native.encode("latin-1")
    except UnicodeEncodeError:
        return native.encode("utf-8", "surrogatepass")


def _text(value: bytes) -> str:
    """A header as UTF-8; what is none stays broken, and is not taken for another text."""
    return value.decode("utf-8", "surrogateescape")


def peer_of(carrier: Mapping[str, Any]) -> str | None:
    """The address that a request came from, as the server tells it; None where it does not."""
    client = carrier.get("client")
    peer = client[0] if client else carrier.get("REMOTE_ADDR")
    return peer if isinstance(peer, str) else None
