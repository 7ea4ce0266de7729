"""Whose data a question may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class TenantScope:
    """The tenants that a read may see; made by `all` or `of`, so that no read has a scope by default."""

    # None: everything, spans without a tenant included.
    tenants: tuple[str, ...] | None

    @classmethod
    def all(cls) -> Self:
        """Every tenant, and what belongs to none: for the operator."""
        return cls(None)

    @classmethod
    def of(cls, *tenants: str) -> Self:
        """These tenants and nothing else.

        Raises:
            ValueError: there is none, or one is empty.
        """
        if not tenants or not all(tenants):
            raise ValueError(f"a scope needs at least one tenant, and each of at least one character, not {tenants!r}")
        return cls(tuple(dict.fromkeys(tenants)))
