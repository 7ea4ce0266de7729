"""A tenant that a client merely names: anyone can write a header, a host name or a path."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Container
from inspect import isawaitable
from typing import TYPE_CHECKING, TypeAlias

from tracium import notices
from tracium.exceptions import SettingError
from tracium.frameworks.resolvers.resolver import Found, Resolver
from tracium.tenancy import is_tenant

if TYPE_CHECKING:
    from tracium.frameworks.incoming import IncomingRequest

Known: TypeAlias = Container[str] | Callable[[str], bool | Awaitable[bool]]
"""The tenants that there are: a set, or a callable, sync or async, that tells whether a tenant is one of them."""


class ClaimResolver(Resolver):
    """Finds what the client says, and believes it as far as the operator does.

    Args:
        said: Where the claim stands, for people: "the header X-Tenant-ID".
        known: The tenants that there are, or None.
        trusted_proxy: Whether something in front of the app sets the claim and takes away what clients send.

    Raises:
        SettingError: `known` is neither a container nor callable.
    """

    def __init__(self, said: str, known: Known | None, *, trusted_proxy: bool) -> None:
        if isinstance(known, str) or not (known is None or callable(known) or isinstance(known, Container)):
            raise SettingError(
                f"known is {known!r:.80}, but it must be a set of tenant ids, or a callable that tells whether it is given "
                "one of them."
            )
        self._said = said
        self._known = known
        if known is None and not trusted_proxy:
            notices.say(
                f"resolver:claim:{said}",
                logging.WARNING,
                f"The tenant is taken from {said}, which any client can write: one that writes another tenant's id works, "
                "and is charged, as that tenant. Name the tenants that there are with known= (a set or a callable), or say "
                "trusted_proxy=True if a proxy in front of the app sets it and takes away what clients send.",
            )

    @abstractmethod
    def claimed(self, request: IncomingRequest) -> str | None:
        """What the client says, or None."""

    def resolve(self, request: IncomingRequest) -> Found:
        """The tenant that the client names, if it is one that there is."""
        tenant = self.claimed(request)
        # What cannot be a tenant is refused by the caller; a database that is asked might choke on it.
        if not tenant or self._known is None or not is_tenant(tenant):
            return tenant
        if not callable(self._known):
            return self._believed(tenant, known=tenant in self._known)
        known = self._known(tenant)
        return self._later(tenant, known) if isawaitable(known) else self._believed(tenant, known=bool(known))

    async def _later(self, tenant: str, known: Awaitable[bool]) -> str | None:
        return self._believed(tenant, known=bool(await known))

    def _believed(self, tenant: str, *, known: bool) -> str | None:
        if known:
            return tenant
        notices.say(
            f"resolver:unknown:{self._said}",
            logging.INFO,
            f"A client named a tenant in {self._said} that is not among the known ones; the request has none then. The name is "
            "not repeated here, because logs are telemetry.",
        )
        return None
