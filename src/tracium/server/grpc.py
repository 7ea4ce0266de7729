"""OTLP over gRPC, in the event loop of the HTTP server."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import grpc  # type: ignore[import-untyped] # it has no types
import grpc.aio  # type: ignore[import-untyped]
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from tracium.exceptions import TraciumError
from tracium.server.access.principal import Kind, Principal
from tracium.server.access.refusal import ForbiddenError
from tracium.server.parsing import PROTOBUF
from tracium.server.refusal import BadBodyError, BodyTimeoutError, Refusal
from tracium.server.reply import code, response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from tracium.server.access.protection import Network, Tls
    from tracium.server.batch import Signal
    from tracium.server.budget import Share
    from tracium.server.intake import Intake
    from tracium.server.reading import Reading

    Authenticate = Callable[[Mapping[str, str], str], Awaitable[Principal]]

_SERVICES: Final[Mapping[Signal, str]] = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
_STATUS_CODES: Final = {one.value[0]: one for one in grpc.StatusCode}
_CONNECTIONS: Final = 2000
# At once on one connection; its other calls wait, and lose nothing.
_CALLS: Final = 1000
# From a connection's begin to the end of HTTP/2's, and of TLS's, greeting.
_GREETING_SECONDS: Final = 10
# A client that says nothing for so long is asked to connect anew.
_IDLE_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class GrpcAddress:
    """Where to listen for gRPC."""

    host: str
    # 0: any free one.
    port: int


class GrpcReceiver:
    """The three OTLP services; to be made in the event loop that they are to run in.

    Args:
        intake: takes what comes.
        authenticate: tells who sends, by the call's metadata and the address that it comes from; raises `Refusal`.
        proxies: where the proxies are that may connect, besides this machine; anybody may if there are none.
    """

    def __init__(self, intake: Intake, authenticate: Authenticate, proxies: tuple[Network, ...] = ()) -> None:
        self._intake = intake
        self._proxies = proxies
        self._authenticate = authenticate
        self._taking: set[asyncio.Task[Reading]] = set()
        # A message is in memory before anyone knows its length: so many of the longest ones fit.
        self._receiving = asyncio.Semaphore(max(intake.limits.waiting_bytes // intake.limits.body_bytes, 1))
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", intake.limits.body_bytes),
                # Two servers on one port would each get a part of the telemetry.
                ("grpc.so_reuseport", 0),
                ("grpc.max_allowed_incoming_connections", _CONNECTIONS),
                ("grpc.server_handshake_timeout_ms", _GREETING_SECONDS * 1000),
                ("grpc.max_connection_idle_ms", _IDLE_SECONDS * 1000),
                ("grpc.max_concurrent_streams", _CALLS),
            ]
        )
        for signal, service in _SERVICES.items():
            # The client sends one message; taken as a stream it is not read before there is room for it.
            export = grpc.stream_unary_rpc_method_handler(partial(self._export, signal))
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": export}),))

    def bind(self, address: GrpcAddress, tls: Tls | None) -> int:
        """Take the port; answer which one it is.

        Args:
            address: where to listen.
            tls: a certificate and its key; None for plain text.

        Raises:
            TraciumError: it cannot be taken.
        """
        check_free(address)
        place = f"{_bracketed(address.host)}:{address.port}"
        try:
            if tls is None:
                port = self._server.add_insecure_port(place)
            else:
                pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
                port = self._server.add_secure_port(place, grpc.ssl_server_credentials([pair]))
        except RuntimeError as error:
            raise _cannot_listen(address, str(error)) from error
        return int(port)

    async def start(self) -> None:
        """Begin to answer."""
        await self._server.start()

    async def stop(self, grace_seconds: float) -> None:
        """Take no more calls, and give those that run some time to end."""
        await self._server.stop(grace_seconds)
        if self._taking:
            await asyncio.wait(self._taking, timeout=grace_seconds)

    async def _export(self, signal: Signal, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
        try:
            sender = await self._sender(context)
            with contextlib.ExitStack() as held:
                held.enter_context(self._intake.admission.one())
                share = held.enter_context(self._intake.share())
                body = await self._receive(messages, share)
                # A client may cancel its call: what reads the body in a thread goes on, and so does what it holds.
                taking = asyncio.create_task(self._take(signal, body, sender, share, held.pop_all()))
                self._taking.add(taking)
                taking.add_done_callback(self._taken)
                reading = await asyncio.shield(taking)
        except Refusal as cause:
            await _refuse(context, cause)
            raise
        return response(signal, reading).SerializeToString()

    async def _take(
        self, signal: Signal, body: bytes, sender: Principal, share: Share, held: contextlib.ExitStack
    ) -> Reading:
        with held:
            return await self._intake.take(signal, body, PROTOBUF, sender, share)

    def _taken(self, taking: asyncio.Task[Reading]) -> None:
        self._taking.discard(taking)
        # Looked at, also where nobody waits for it any more.
        if not taking.cancelled():
            taking.exception()

    async def _sender(self, context: grpc.aio.ServicerContext) -> Principal:
        metadata = _metadata(context)
        peer = _host(context.peer())
        if self._proxies and not _is_inside(peer, self._proxies):
            raise ForbiddenError("this server answers its proxy only. Use the proxy's address.")
        sender = await self._authenticate(metadata, peer)
        if sender.kind not in {Kind.INGEST, Kind.ADMIN}:
            raise ForbiddenError(f"a token of kind {sender.kind} sends no telemetry. Use one of kind {Kind.INGEST}.")
        return sender

    async def _receive(self, messages: AsyncIterator[bytes], share: Share) -> bytes:
        seconds = self._intake.limits.body_seconds
        try:
            async with asyncio.timeout(seconds), self._receiving:
                async for body in messages:
                    self._intake.admit(len(body), share)
                    return body
        except TimeoutError as error:
            raise BodyTimeoutError(f"the message did not arrive within {seconds:g} seconds. Send it again.") from error
        raise BadBodyError("the call has no message. Send one export request.")


def check_free(address: GrpcAddress) -> None:
    """See whether the port is free, before anything that takes longer.

    Raises:
        TraciumError: it is not.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        with contextlib.closing(socket.socket(family, kind, protocol)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen(1)
    except OSError as error:
        raise _cannot_listen(address, error.strerror or str(error)) from error


async def _refuse(context: grpc.aio.ServicerContext, cause: Refusal) -> None:
    """End a call with the reason, by an exception of gRPC's own; a client comes back only where it is told when.

    https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-throttling
    """
    number = code(cause.status)
    status = Status(code=number, message=str(cause))
    if cause.retry_after is not None:
        details = AnyMessage()
        details.Pack(RetryInfo(retry_delay=Duration(seconds=cause.retry_after)))
        status.details.append(details)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    await context.abort(_STATUS_CODES[number], str(cause))


def _cannot_listen(address: GrpcAddress, reason: str) -> TraciumError:
    return TraciumError(
        f"cannot listen on {_bracketed(address.host)}:{address.port} for gRPC: {reason}. Stop what uses it, choose another "
        "port with --grpc-port (0: any free one), or do without with --no-grpc."
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _metadata(context: grpc.aio.ServicerContext) -> Mapping[str, str]:
    """A call's metadata that is text; of two, a proxy may have looked at the other one: then none counts."""
    pairs = [(key, value) for key, value in context.invocation_metadata() or () if isinstance(value, str)]
    times = Counter(key for key, _ in pairs)
    return {key: value if times[key] == 1 else "" for key, value in pairs}


def _host(peer: str) -> str:
    """The address in a name of gRPC's for the other side: ``ipv4:127.0.0.1:5000``, ``ipv6:%5B::1%5D:5000``."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]") or peer


def _is_inside(peer: str, networks: tuple[Network, ...]) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback or any(address in network for network in networks)
