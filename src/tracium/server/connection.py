"""One client's connection: how many there may be, and how long and how large the head of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

# uvicorn's own limit answers without a time to come back at, and exporters then throw away what they have.
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class HeadTooLargeError(Exception):
    """A request's head is longer than any honest one; the parser answers 400."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with the bounds that it has none of.

    A connection that sends nothing, or a head that never ends, would be kept as long as its client likes.
    """

    most_connections: ClassVar[int] = 2000
    # From the first byte of a head, or from the connection's begin, to the end of it.
    head_seconds: ClassVar[float] = 10
    head_bytes: ClassVar[int] = 64 * 2**10

    _head_timer: asyncio.TimerHandle | None = None
    _head_length = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Take a connection, or send it away if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.write(_FULL)
            transport.close()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Wait for the head of the next request."""
        self._head_length = 0
        if self._head_timer is None:
            self._await_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop waiting: what comes now is the body, whose time the endpoint limits."""
        self._stop_waiting()
        super().on_headers_complete()

    def _count(self, length: int) -> None:
        self._head_length += length
        if self._head_length > self.head_bytes:
            raise HeadTooLargeError

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
