"""What a resolver is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from tracium.exceptions import SettingError

if TYPE_CHECKING:
    from tracium.frameworks.incoming import IncomingRequest

Found: TypeAlias = "str | Awaitable[str | None] | None"


class Resolver(ABC):
    """Finds the tenant of a request.

    Attributes:
        challenge: What a 401 tells the client to authenticate with: the value of `WWW-Authenticate`.
    """

    challenge = 'Tenant realm="tenant"'

    @abstractmethod
    def resolve(self, request: IncomingRequest) -> Found:
        """The tenant of `request`, or None where it names none; awaitable if it takes time.

        What is given is checked by the caller: a string that cannot be a tenant id is the client's fault.
        """


AnyResolver: TypeAlias = Resolver | Callable[[Any], Found]
"""A resolver, or a callable, sync or async, that takes the framework's request and gives a tenant id or None."""


class _Callable(Resolver):
    """A user's own callable."""

    def __init__(self, function: Callable[[Any], Found]) -> None:
        self._function = function

    def resolve(self, request: IncomingRequest) -> Found:
        return self._function(request.native)


def as_resolver(resolver: AnyResolver) -> Resolver:
    """Give a resolver back, or make one of a callable.

    Raises:
        SettingError: It is neither.
    """
    if isinstance(resolver, Resolver):
        return resolver
    if not callable(resolver):
        raise SettingError(
            f"resolver is {resolver!r}, but it must be a resolver such as from_header('X-Tenant-ID', known=…), or a "
            "callable that takes the request and gives a tenant id or None."
        )
    return _Callable(resolver)


def names_nobody(found: object) -> bool:
    """Whether a resolver found no tenant: None, or an empty string, such as an empty header. 0 and False are mistakes."""
    return found is None or found == ""
