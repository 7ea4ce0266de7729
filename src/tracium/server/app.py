"""The ASGI application: OTLP in, questions out, one store between them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from tracium.server.api import Api
from tracium.server.commit import Committer
from tracium.server.hosts import LOOPBACK, HostAllowList
from tracium.server.intake import Intake, Limits
from tracium.server.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from tracium.server.store import Store

_DEFAULT_LIMITS: Final = Limits()


def create_app(store: Store, *, hosts: Iterable[str] = (), limits: Limits = _DEFAULT_LIMITS) -> Starlette:
    """Build the application around an open store, which stays the caller's to close.

    Args:
        store: where spans go and answers come from.
        hosts: names to answer to besides those of the loopback interface.
        limits: what the receiver takes.
    """
    committer = Committer(store.commit)
    intake = Intake(committer, limits)
    receiver = Receiver(intake)
    api = Api(store)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        committer.start()
        try:
            yield
        finally:
            await committer.close()

    return Starlette(
        routes=[
            Route("/v1/traces", receiver.traces, methods=["POST"]),
            Route("/v1/logs", receiver.logs, methods=["POST"]),
            Route("/v1/metrics", receiver.metrics, methods=["POST"]),
            Route("/api/v1/usage", api.usage),
            Route("/health", api.health),
            Route("/ready", api.ready),
        ],
        middleware=[Middleware(HostAllowList, allowed={*LOOPBACK, *hosts})],
        lifespan=lifespan,
    )
