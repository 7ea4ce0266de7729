"""Who asks, and what they may see."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, Self

from tracium.server.scope import TenantScope


class Kind(enum.StrEnum):
    """What a token is for."""

    # Sends OTLP, and reads nothing.
    INGEST = "ingest"
    # Reads numbers: no span, no trace, no content.
    USAGE = "usage"
    # Reads traces and numbers.
    READ = "read"
    # Everything: tokens, retention, erasure and prices too.
    ADMIN = "admin"


class Grant(enum.StrEnum):
    """What a tenant's token sees only if it is granted: what a customer may read of their own data."""

    # Money, and the prices it is made of.
    COST = "cost"
    # Prompts and answers.
    CONTENT = "content"
    # Attributes as they were sent.
    ATTRIBUTES = "attributes"
    # Stack traces of errors.
    STACKTRACES = "stacktraces"


# What a token can be granted at all.
GRANTABLE: Final = {
    Kind.INGEST: frozenset[Grant](),
    Kind.USAGE: frozenset({Grant.COST}),
    Kind.READ: frozenset(Grant),
    Kind.ADMIN: frozenset(Grant),
}


# No token's id: those are hexadecimal.
_OPERATOR: Final = "operator"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a token, or the operator of a server that wants none."""

    # The token's public id.
    id: str
    kind: Kind
    # Whose data it reads, or writes.
    scope: TenantScope
    grants: frozenset[Grant]

    @classmethod
    def operator(cls) -> Self:
        """Whoever works on the machine itself: everything is allowed."""
        return cls(_OPERATOR, Kind.ADMIN, TenantScope.all(), frozenset(Grant))

    @property
    def is_operator(self) -> bool:
        """Whether it is no token's."""
        return self.id == _OPERATOR

    def may(self, grant: Grant) -> bool:
        """Whether what `grant` stands for is shown."""
        return grant in self.grants
