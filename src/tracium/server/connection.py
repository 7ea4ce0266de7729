"""One client's connection: how many there may be, how long and how large a request's head, and how long its body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

# uvicorn's own limit answers without a time to come back at, and exporters then throw away what they have.
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BAD: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"


class HeadTooLargeError(Exception):
    """A request's head is longer than any honest one; the parser answers 400."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with the bounds that it has none of.

    A connection that sends nothing, a head or a body that never ends, or one that reads no answers, would be kept as long
    as its client likes.
    """

    most_connections: ClassVar[int] = 2000
    # From the first byte of a head, or from the connection's begin, to the end of it.
    head_seconds: ClassVar[float] = 10
    head_bytes: ClassVar[int] = 64 * 2**10
    # From a head to the end of the body, whether anybody wants it or not: more than an endpoint that reads it gives, so
    # that its answer is heard.
    body_seconds: ClassVar[float] = 40
    # In which a client has to take something of what waits for it.
    answer_seconds: ClassVar[float] = 30

    _timer: asyncio.TimerHandle | None = None
    _answer_timer: asyncio.TimerHandle | None = None
    _head_length = 0
    _is_in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Take a connection, or send it away if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.write(_FULL)
            self._close()
            return
        self._wait(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        self._stop_waiting_for_reader()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come; a connection on which nothing is asked or answered is not to be held by it."""
        super().data_received(data)
        is_idle = self.cycle is not None and self.cycle.response_complete and not self.pipeline
        if is_idle and self._timer is None and not self.transport.is_closing():
            self._wait(self.head_seconds)

    def on_message_begin(self) -> None:
        """Wait for the head of the next request."""
        self._head_length = 0
        self._is_in_head = True
        if self._timer is None:
            self._wait(self.head_seconds)
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what stands behind a body is none: a proxy has not looked at it."""
        self._count(len(name) + len(value))
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Wait for the body instead."""
        self._is_in_head = False
        self._wait(self.body_seconds)
        self._name_host()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop waiting: what comes now is the answer."""
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, or end."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._close()

    def timeout_keep_alive_handler(self) -> None:
        """End a connection on which nothing is asked any more."""
        self._close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, in the form of all other errors."""
        body = json.dumps({"error": f"{msg} Its head has at most {self.head_bytes} bytes."}).encode()
        self.transport.write(_BAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._close()

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self._wait_for_reader()

    def resume_writing(self) -> None:
        """Stop waiting: it reads."""
        self._stop_waiting_for_reader()
        super().resume_writing()

    def _count(self, length: int) -> None:
        self._head_length += length
        if self._head_length > self.head_bytes:
            raise HeadTooLargeError

    def _name_host(self) -> None:
        """Where the target names a host, that one counts: https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2."""
        if self.url.startswith(b"/") or b"://" not in self.url:
            return
        url = httptools.parse_url(self.url)
        host = url.host or b""
        name = b"[%b]" % host if b":" in host else host
        self.headers[:] = [one for one in self.headers if one[0] != b"host"]
        self.headers.append((b"host", name if url.port is None else b"%b:%d" % (name, url.port)))

    def _wait(self, seconds: float) -> None:
        """Close if this is not called again, and what is waited for does not come, in time."""
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, self._late, seconds)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self, seconds: float) -> None:
        if self.flow.read_paused:
            # It is this side that does not read: an earlier request of the connection is still being answered.
            self._wait(seconds)
        else:
            self._close()

    def _close(self) -> None:
        """Close, also if the client does not read what is left to send."""
        self.transport.close()
        self._wait_for_reader()

    def _wait_for_reader(self) -> None:
        if self._answer_timer is None:
            self._answer_timer = self.loop.call_later(self.answer_seconds, self.transport.abort)

    def _stop_waiting_for_reader(self) -> None:
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None
