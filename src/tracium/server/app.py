"""The ASGI application: OTLP in, questions out, one store between them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from tracium.server.access.answer import missing
from tracium.server.access.api import AccessApi
from tracium.server.access.gate import Gate
from tracium.server.access.gatekeeper import Gatekeeper
from tracium.server.access.headers import SecurityHeaders
from tracium.server.access.proxy import BehindProxy
from tracium.server.access.route import ADMIN, ANYONE, EVERY_KIND, INGEST, GuardedRoute, OpenPaths
from tracium.server.access.tokens import Tokens
from tracium.server.api import Api
from tracium.server.commit import Committer
from tracium.server.hosts import LOOPBACK, HostAllowList
from tracium.server.intake import Intake, Limits
from tracium.server.keeping.housekeeper import Housekeeper
from tracium.server.keeping.routes import keeping_routes
from tracium.server.pages.pages import PAGES
from tracium.server.pages.site import Site
from tracium.server.prices.api import PricesApi
from tracium.server.prices.keeper import prices_kept
from tracium.server.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from tracium.server.access.protection import Network
    from tracium.server.store import Store

_DEFAULT_LIMITS: Final = Limits()


def create_app(
    store: Store,
    *,
    hosts: Iterable[str] = (),
    limits: Limits = _DEFAULT_LIMITS,
    gatekeeper: Gatekeeper | None = None,
    proxies: tuple[Network, ...] = (),
) -> Starlette:
    """Build the application around an open store, which stays the caller's to close.

    Args:
        store: where spans go and answers come from.
        hosts: names to answer to besides those of the loopback interface.
        limits: what the receiver takes.
        gatekeeper: tells who asks; without one it is made, and open to everybody until the store has a token.
        proxies: where the proxies are that speak TLS with the clients; none if there are none.
    """
    gatekeeper = gatekeeper or Gatekeeper(Tokens(store), required=False)
    committer = Committer(store.commit, store.writes_at_once)
    intake = Intake(committer, limits)
    receiver = Receiver(intake)
    housekeeper = Housekeeper(store)
    site = Site(store, PAGES)
    routes = [
        *_routes(receiver, Api(store), AccessApi(store, gatekeeper), PricesApi(store)),
        *keeping_routes(store),
        *site.routes(),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        committer.start()
        housekeeper.start()
        try:
            async with prices_kept(store):
                yield
        finally:
            await housekeeper.close()
            await committer.close()

    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(SecurityHeaders),
            # What is worth the effort; files of the pages are compressed already.
            Middleware(GZipMiddleware, minimum_size=1024, compresslevel=5),
            site.middleware(),
            *_behind(proxies),
            Middleware(HostAllowList, allowed={*LOOPBACK, *hosts}),
            Middleware(Gate, gatekeeper=gatekeeper, open_paths=OpenPaths(routes)),
        ],
        lifespan=lifespan,
        exception_handlers={404: missing, 405: missing},
    )
    # Other protocols share what is taken, and its limits.
    app.state.intake = intake
    return app


def _routes(receiver: Receiver, api: Api, access: AccessApi, prices: PricesApi) -> list[GuardedRoute]:
    """Every route, with whom it answers."""
    return [
        GuardedRoute("POST", "/v1/traces", receiver.traces, INGEST),
        GuardedRoute("POST", "/v1/logs", receiver.logs, INGEST),
        GuardedRoute("POST", "/v1/metrics", receiver.metrics, INGEST),
        *api.routes(),
        GuardedRoute("GET", "/api/v1/tokens", access.tokens, ADMIN),
        GuardedRoute("POST", "/api/v1/tokens", access.make_token, ADMIN),
        GuardedRoute("DELETE", "/api/v1/tokens/{id}", access.revoke_token, ADMIN),
        GuardedRoute("GET", "/api/v1/prices", prices.prices, ADMIN),
        GuardedRoute("PUT", "/api/v1/prices", prices.load, ADMIN),
        GuardedRoute("POST", "/api/v1/reprice", prices.reprice, ADMIN),
        GuardedRoute("GET", "/api/v1/audit", access.audit, ADMIN),
        GuardedRoute("GET", "/api/v1/session", access.session, EVERY_KIND),
        GuardedRoute("POST", "/api/v1/session", access.log_in, ANYONE),
        GuardedRoute("DELETE", "/api/v1/session", access.log_out, EVERY_KIND),
    ]


def _behind(proxies: tuple[Network, ...]) -> list[Middleware]:
    if not proxies:
        return []
    trusted = list(map(str, proxies))
    return [
        Middleware(BehindProxy, networks=proxies),
        # The client's own address, for the audit log.
        Middleware(ProxyHeadersMiddleware, trusted_hosts=trusted),
    ]
