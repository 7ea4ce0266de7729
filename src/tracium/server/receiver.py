"""OTLP over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tracium.server.body import receive
from tracium.server.encoding import decompress
from tracium.server.parsing import media_type
from tracium.server.refusal import Refusal
from tracium.server.reply import refusal, success

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tracium.server.batch import Signal
    from tracium.server.budget import Share
    from tracium.server.intake import Intake


class Receiver:
    """The OTLP endpoints."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def traces(self, request: Request) -> Response:
        """``POST /v1/traces``: answered with success when the spans are durably written."""
        return await self._export("traces", request)

    async def logs(self, request: Request) -> Response:
        """``POST /v1/logs``: answered with success when the records are durably written."""
        return await self._export("logs", request)

    async def metrics(self, request: Request) -> Response:
        """``POST /v1/metrics``: answered with success when the points are durably written."""
        return await self._export("metrics", request)

    async def _export(self, signal: Signal, request: Request) -> Response:
        try:
            content_type = media_type(request.headers.get("content-type", ""))
            with self._intake.admission.one(), self._intake.share() as share:
                body = await self._body(request, share)
                reading = await self._intake.take(signal, body, content_type, request.state.principal, share)
        except Refusal as cause:
            return refusal(request, cause)
        return success(content_type, signal, reading)

    async def _body(self, request: Request, share: Share) -> bytes:
        limits = self._intake.limits
        received = await receive(request, limits.body_seconds, lambda length: self._intake.admit(length, share))
        encoding = request.headers.get("content-encoding", "")
        if not encoding:
            return received
        # However small, it may unfold to the limit.
        body = await asyncio.to_thread(decompress, received, encoding, limits.body_bytes)
        share.grow_to(len(body))
        return body
