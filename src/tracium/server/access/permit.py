"""What a token allows, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from tracium.server.access.principal import GRANTABLE, Grant, Kind
from tracium.server.scope import TenantScope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracium.server.access.principal import Principal

_Word = TypeVar("_Word", Kind, Grant)


@dataclass(frozen=True, slots=True)
class Permit:
    """A kind, the tenants it is bound to, and what is granted beyond numbers and the shape of traces.

    Raises:
        ValueError: the three do not go together; the message is a sentence for the user.
    """

    kind: Kind
    # Empty: bound to none, and sees them all.
    tenants: tuple[str, ...] = ()
    grants: frozenset[Grant] = frozenset()

    def __post_init__(self) -> None:
        if self.kind is Kind.ADMIN and self.tenants:
            raise ValueError("an admin token rules over every tenant: leave out the tenant, or make a read token.")
        if self.grants and not self.tenants:
            raise ValueError(
                "a token that is bound to no tenant sees everything of its kind: leave out the grant, or name a tenant."
            )
        if beyond := self.grants - GRANTABLE[self.kind]:
            raise ValueError(f"a token of kind {self.kind} cannot be granted {', '.join(sorted(beyond))}.")
        # Refuses what is no tenant.
        _ = self.scope

    @classmethod
    def of(cls, kind: str, tenants: Iterable[str], grants: Iterable[str]) -> Self:
        """Read the words of a command line or a request.

        Raises:
            ValueError: a word is unknown, or they do not go together.
        """
        return cls(
            _word(Kind, "kind", kind),
            tuple(dict.fromkeys(tenants)),
            frozenset(_word(Grant, "grant", grant) for grant in grants),
        )

    @classmethod
    def behind(cls, principal: Principal) -> Self:
        """What the token of a principal allows."""
        tenants = principal.scope.tenants or ()
        return cls(principal.kind, tenants, principal.grants if tenants else frozenset())

    @property
    def scope(self) -> TenantScope:
        """The tenants, as a question to the store takes them."""
        return TenantScope.of(*self.tenants) if self.tenants else TenantScope.all()

    @property
    def shown(self) -> frozenset[Grant]:
        """What is shown to whoever holds it: a token that is bound to no tenant needs no grants."""
        return self.grants if self.tenants else GRANTABLE[self.kind]


def _word(words: type[_Word], what: str, text: str) -> _Word:
    try:
        return words(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no {what} of a token: choose from {', '.join(words)}.") from error
