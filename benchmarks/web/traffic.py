"""The requests that are sent, and the client that sends them over connections that are kept alive."""

import asyncio
import itertools
import random
from typing import NamedTuple

from websockets.asyncio.client import connect

TENANTS = frozenset(f"org_{number}:workspace_{number % 7}" if number % 3 else f"acme-{number}" for number in range(200))
# How many of 100 requests.
SHARES = {"plain": 70, "thread": 10, "stream": 11, "raise": 4, "ws": 5}
WITHOUT_TENANT = 0.05
CONNECTIONS = 24


class Request(NamedTuple):
    number: int
    kind: str
    tenant: str | None


def mixed(count, first=0, *, websockets=False):
    """Requests of all kinds by tenants in any order, numbered from `first` on."""
    shares = SHARES if websockets else {kind: share for kind, share in SHARES.items() if kind != "ws"}
    chance, tenants = random.Random(first), sorted(TENANTS)
    kinds = chance.choices(list(shares), list(shares.values()), k=count)
    for number, kind in enumerate(kinds, first):
        yield Request(number, kind, None if chance.random() < WITHOUT_TENANT else chance.choice(tenants))


def plain(count):
    """Requests to one endpoint, by tenants in turn."""
    for number, tenant in zip(range(count), itertools.cycle(sorted(TENANTS)), strict=False):
        yield Request(number, "plain", tenant)


async def send(requests, port, *, prefix="", pipelined=1, connections=CONNECTIONS):
    """Send all `requests`; gives those whose answer was not as it must be.

    Args:
        requests: What to send.
        port: The server's on loopback.
        prefix: Before each path.
        pipelined: How many requests stand on a connection at once; the server must be able to do that.
        connections: How many requests are under way at once, at least.
    """
    clients = [Client(port, prefix) for _ in range(connections)]
    batches = _batches(requests, pipelined)
    wrong = await asyncio.gather(*(client.send(batches) for client in clients))
    return [request for one in wrong for request in one]


class Client:
    """One connection, opened again when the server closed it."""

    def __init__(self, port, prefix):
        self.port, self.prefix = port, prefix
        self.reader = self.writer = None

    async def send(self, batches):
        wrong = []
        for batch in batches:
            answers = await self._ask_websocket(batch[0]) if batch[0].kind == "ws" else await self._ask(batch)
            wrong += [request for request, answer in zip(batch, answers, strict=True) if not _is_right(request, answer)]
            if batch[0].kind == "raise":
                # Servers close the connection then, or not, sooner or later.
                self._close()
        self._close()
        return wrong

    async def _ask(self, batch):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(b"".join(self._bytes(request) for request in batch))
        return [await self._answer() for _ in batch]

    def _bytes(self, request):
        tenant = "" if request.tenant is None else f"X-Tenant-ID: {request.tenant}\r\n"
        return (
            f"GET {self.prefix}/{request.kind}?id={request.number} HTTP/1.1\r\nHost: localhost\r\n{tenant}\r\n".encode()
        )

    async def _answer(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        _, length, rest = head.partition(b"content-length:")
        body = await self.reader.readexactly(int(rest.partition(b"\r\n")[0])) if length else await self._chunks()
        return int(head[9:12]), body.decode()

    async def _chunks(self):
        body = b""
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            body += (await self.reader.readexactly(size + 2))[:-2]
            if not size:
                return body

    async def _ask_websocket(self, request):
        headers = {} if request.tenant is None else {"X-Tenant-ID": request.tenant}
        uri = f"ws://127.0.0.1:{self.port}{self.prefix}/ws?id={request.number}"
        async with connect(uri, additional_headers=headers, compression=None, proxy=None) as socket:
            await socket.send("who?")
            return [(200, await socket.recv())]

    def _close(self):
        if self.writer is not None:
            self.writer.close()
            self.reader = self.writer = None


def _batches(requests, size):
    """Requests that are sent at once; what may end the connection goes alone."""
    batch = []
    for request in requests:
        if request.kind in {"raise", "ws"}:
            yield [request]
            continue
        batch.append(request)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _is_right(request, answer):
    """The app answers with the tenant that it works for; what streams is another matter."""
    status, body = answer
    if request.kind == "raise":
        return status == 500
    return status == 200 and body == ("firstsecond" if request.kind == "stream" else str(request.tenant))
