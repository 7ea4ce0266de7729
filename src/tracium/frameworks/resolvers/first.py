"""Several resolvers, one after the other."""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING

from tracium.exceptions import SettingError
from tracium.frameworks.resolvers.resolver import AnyResolver, Found, Resolver, as_resolver, names_nobody

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tracium.frameworks.incoming import IncomingRequest


class _First(Resolver):
    def __init__(self, resolvers: tuple[Resolver, ...]) -> None:
        self._resolvers = resolvers
        told = (resolver.challenge for resolver in resolvers if resolver.challenge != Resolver.challenge)
        self.challenge = next(told, Resolver.challenge)

    def resolve(self, request: IncomingRequest) -> Found:
        for number, resolver in enumerate(self._resolvers, 1):
            found = resolver.resolve(request)
            if isawaitable(found):
                return self._go_on(found, number, request)
            if not names_nobody(found):
                return found
        return None

    async def _go_on(self, found: Awaitable[str | None], number: int, request: IncomingRequest) -> str | None:
        tenant = await found
        if not names_nobody(tenant) or number == len(self._resolvers):
            return tenant
        later = _First(self._resolvers[number:]).resolve(request)
        return await later if isawaitable(later) else later


def first_of(*resolvers: AnyResolver) -> Resolver:
    """The first of several resolvers, or callables, that finds a tenant.

    Args:
        resolvers: In the order in which they are asked. Name the ones that prove something first.

    Raises:
        SettingError: There is none, or one of them is no resolver.
    """
    if not resolvers:
        raise SettingError("first_of() needs at least one resolver.")
    return _First(tuple(as_resolver(resolver) for resolver in resolvers))
