"""One serving process, from the free port to the last commit."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import uvicorn

from tracium.exceptions import TraciumError
from tracium.server.app import create_app
from tracium.server.location import Directory
from tracium.server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracium.server.location import Server

_BACKLOG: Final = 2048
_GRACE_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, and under which further names to answer."""

    host: str
    # 0: any free one.
    port: int
    names: tuple[str, ...] = ()


def serve(location: Directory | Server, address: Address, when_ready: Callable[[str], None]) -> None:
    """Receive and answer until SIGTERM or SIGINT; what was acknowledged by then is durable.

    Args:
        location: the store.
        address: where to listen.
        when_ready: called with the server's URL once it answers.

    Raises:
        TraciumError: the address cannot be listened on.
        StoreError: the store cannot be opened.
    """
    # The port first: it costs nothing, the engine takes seconds.
    with contextlib.closing(_listen(address)) as listener, Store(location) as store:
        if isinstance(location, Directory):
            # The engine keeps a cache of what it was told about protobuf in the working directory.
            os.chdir(location.path)
        url = _url(listener)

        def ready() -> None:
            store.announce(url)
            when_ready(url)

        config = uvicorn.Config(
            create_app(store, hosts=(*address.names, _host_header(address.host))),
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        asyncio.run(_Server(config, ready).serve(sockets=[listener]))


class _Server(uvicorn.Server):
    """A server that says when it answers, and ends with exit code 0 when it is asked to end."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals without raising them again afterwards, as the base class does."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _listen(address: Address) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise TraciumError(f"{address.host} is no address to listen on: {error.strerror}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise TraciumError(
            f"cannot listen on {_host_header(address.host)}:{address.port}: {error.strerror}. "
            "Stop what uses it, or choose another port with --port (0: any free one)."
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    """A URL of this machine; a wildcard address is reached over loopback."""
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://{_host_header(reachable)}:{port}"


def _host_header(host: str) -> str:
    """How a host stands in a URL and in the Host header: IPv6 in brackets."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host  # noqa: PLR2004 - IPv6
    except ValueError:
        return host
