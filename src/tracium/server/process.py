"""One serving process, from the free port to the last commit."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import uvicorn

from tracium.exceptions import TraciumError
from tracium.server.access.gatekeeper import Gatekeeper
from tracium.server.access.operatorkey import offered
from tracium.server.access.protection import Protection
from tracium.server.access.tokens import Tokens
from tracium.server.app import create_app
from tracium.server.connection import Connection
from tracium.server.grpc import GrpcAddress, GrpcReceiver, check_free
from tracium.server.location import Directory
from tracium.server.prices import book
from tracium.server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracium.server.access.protection import Tls
    from tracium.server.location import Server
    from tracium.server.prices.overrides import Overrides

_BACKLOG: Final = 2048
_GRACE_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, and under which further names to answer."""

    host: str
    # 0: any free one.
    port: int
    names: tuple[str, ...] = ()
    protection: Protection = field(default_factory=Protection)
    # 0: any free one; None: no gRPC.
    grpc_port: int | None = 0

    @property
    def grpc(self) -> GrpcAddress | None:
        """Where to listen for gRPC; None for nowhere."""
        return None if self.grpc_port is None else GrpcAddress(self.host, self.grpc_port)


def serve(
    location: Directory | Server,
    address: Address,
    when_ready: Callable[[str, str | None], None],
    *,
    overrides: Overrides | None = None,
) -> None:
    """Receive and answer until SIGTERM or SIGINT; what was acknowledged by then is durable.

    Args:
        location: the store.
        address: where to listen.
        when_ready: called with the server's URL and that of gRPC, if there is one, once it answers.
        overrides: the user's own prices, in the place of those in the store; None leaves these.

    Raises:
        TraciumError: the address cannot be listened on, or others could reach it and it is not protected.
        StoreError: the store cannot be opened.
    """
    protection = address.protection
    with contextlib.ExitStack() as opened:
        # The port first: it costs nothing, the engine takes seconds.
        listener = opened.enter_context(contextlib.closing(_listen(address)))
        if address.grpc is not None:
            check_free(address.grpc)
        ip = listener.getsockname()[0]
        protection.refuse_plain(ip)
        store = opened.enter_context(Store(location))
        if overrides is not None:
            book(store).load(overrides.text, overrides.name)
        tokens = Tokens(store)
        protection.refuse_open(ip, has_tokens=bool(tokens.all()))
        gatekeeper = Gatekeeper(
            tokens,
            required=protection.requires_token(ip),
            operator_key=_operator_key(location, protection.tls, opened),
        )
        if isinstance(location, Directory):
            # The engine keeps a cache of what it was told about protobuf in the working directory.
            os.chdir(location.path)
        url = _url(listener, protection.tls)

        def ready(grpc_port: int | None) -> None:
            store.announce(url)
            when_ready(url, None if grpc_port is None else _url(listener, protection.tls, grpc_port))

        app = create_app(
            store,
            hosts=(*address.names, _host_header(address.host)),
            gatekeeper=gatekeeper,
            proxies=protection.proxies,
        )
        config = uvicorn.Config(
            app,
            http=Connection,
            # Ours believes fewer.
            proxy_headers=False,
            ssl_certfile=protection.tls.certificate if protection.tls else None,
            ssl_keyfile=protection.tls.key if protection.tls else None,
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )

        async def run() -> None:
            receiver = GrpcReceiver(app.state.intake, gatekeeper.authenticate, protection.proxies)
            port = None if address.grpc is None else receiver.bind(address.grpc, protection.tls)
            await _Server(config, receiver, lambda: ready(port)).serve(sockets=[listener])

        asyncio.run(run())


class _Server(uvicorn.Server):
    """A server that says when it answers, and ends with exit code 0 when it is asked to end."""

    def __init__(self, config: uvicorn.Config, receiver: GrpcReceiver, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._receiver = receiver
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            await self._receiver.start()
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End gRPC first: what it has taken is written when the application ends."""
        await self._receiver.stop(_GRACE_SECONDS)
        await super().shutdown(sockets)

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


def _operator_key(location: Directory | Server, tls: Tls | None, opened: contextlib.ExitStack) -> str | None:
    """What commands of this machine show; a store that is a server they reach by themselves."""
    if not isinstance(location, Directory):
        return None
    return opened.enter_context(offered(location, tls.pem if tls else None)).token


def _url(listener: socket.socket, tls: Tls | None, other_port: int | None = None) -> str:
    """A URL of this machine, with the listener's port or another one; a wildcard address is reached over loopback."""
    host, own_port = listener.getsockname()[:2]
    port = own_port if other_port is None else other_port
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"{'http' if tls is None else 'https'}://{_host_header(reachable)}:{port}"


def _host_header(host: str) -> str:
    """How a host stands in a URL and in the Host header: IPv6 in brackets."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host  # noqa: PLR2004 - IPv6
    except ValueError:
        return host
