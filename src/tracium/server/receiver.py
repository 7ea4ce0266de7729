"""OTLP over HTTP: what comes in is read, checked, and acknowledged once it is durable."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from tracium.server.encoding import decompress
from tracium.server.otlp import media_type, read_traces
from tracium.server.refusal import BodyTimeoutError, BodyTooLargeError, Refusal
from tracium.server.reply import failure, refusal, success

if TYPE_CHECKING:
    from starlette.requests import Request

    from tracium.server.budget import Budget, Share
    from tracium.server.commit import Committer

_NOT_STORED: Final = (
    "this release of tracium stores traces only: send them to /v1/traces, and turn off the export of {}."
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the receiver takes; the defaults are ample for any SDK and Collector."""

    # One body, compressed and not.
    body_bytes: int = 32 * 2**20
    # All bodies that are being read or wait to be written.
    waiting_bytes: int = 256 * 2**20
    # For one body to arrive.
    body_seconds: float = 30


class Receiver:
    """The OTLP endpoints."""

    def __init__(self, committer: Committer, budget: Budget, limits: Limits) -> None:
        self._committer = committer
        self._budget = budget
        self._limits = limits

    async def traces(self, request: Request) -> Response:
        """``POST /v1/traces``: answered with success when the spans are durably written."""
        try:
            content_type = media_type(request.headers.get("content-type", ""))
            with self._budget.share() as share:
                body = await self._body(request, share)
                # Large bodies take their time, and the loop has other clients.
                batch = await asyncio.to_thread(read_traces, body, content_type)
                if batch.spans:
                    share.grow_to(len(batch.body))
                    await self._committer.commit(batch)
        except Refusal as cause:
            return refusal(request, cause)
        except ClientDisconnect:
            return Response(status_code=400)
        return success(content_type)

    async def _body(self, request: Request, share: Share) -> bytes:
        received = await self._receive(request, share)
        encoding = request.headers.get("content-encoding", "")
        body = await asyncio.to_thread(decompress, received, encoding, self._limits.body_bytes)
        share.grow_to(len(body))
        return body

    async def _receive(self, request: Request, share: Share) -> bytes:
        self._admit(int(request.headers.get("content-length", 0)), share)
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for chunk in request.stream():
                    body += chunk
                    self._admit(len(body), share)
        except TimeoutError as error:
            raise BodyTimeoutError(
                f"the body did not arrive within {self._limits.body_seconds:g} seconds. Send it again."
            ) from error
        return bytes(body)

    def _admit(self, length: int, share: Share) -> None:
        if length > self._limits.body_bytes:
            raise BodyTooLargeError(self._limits.body_bytes)
        share.grow_to(length)


async def logs_not_stored(request: Request) -> Response:
    """``POST /v1/logs``: accepting what is then thrown away would be a lie."""
    return failure(request, 404, _NOT_STORED.format("logs (OTEL_LOGS_EXPORTER=none)"))


async def metrics_not_stored(request: Request) -> Response:
    """``POST /v1/metrics``: accepting what is then thrown away would be a lie."""
    return failure(request, 404, _NOT_STORED.format("metrics (OTEL_METRICS_EXPORTER=none)"))
