"""Whose data a question asks for, among what it may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from tracium.server.scope import literal

_BELOW: Final = ":*"


@dataclass(frozen=True, slots=True)
class TenantFilter:
    """What is asked, which is not what may be seen: that is the wall's, and a filter cannot reach beyond it.

    A tenant that is not to be seen gives what one that does not exist gives: nothing. Without anything it is everybody.
    """

    ids: tuple[str, ...] = ()
    # What the ids of further tenants begin with; each ends with a colon.
    prefixes: tuple[str, ...] = ()
    # Also what belongs to no tenant.
    with_none: bool = False

    @classmethod
    def of(cls, *names: str, with_none: bool = False) -> Self:
        """The tenants of these names; one that ends with ``:*`` stands for all ids that begin with what is before it."""
        return cls(
            tuple(name for name in dict.fromkeys(names) if not name.endswith(_BELOW)),
            tuple(name[:-1] for name in dict.fromkeys(names) if name.endswith(_BELOW)),
            with_none,
        )

    @classmethod
    def only(cls, tenant: str | None) -> Self:
        """One tenant by its id, whatever that ends with; None is what belongs to nobody."""
        return cls(with_none=True) if tenant is None else cls((tenant,))

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not (self.ids or self.prefixes or self.with_none)

    def condition(self) -> str:
        """The filter as an SQL expression over the column ``TenantId``, with every value as a literal."""
        if self.is_everything:
            return "true"
        ids = [*self.ids, *([""] if self.with_none else [])]
        parts = [f"TenantId IN ({', '.join(map(literal, ids))})"] if ids else []
        parts += [f"startsWith(TenantId, {literal(prefix)})" for prefix in self.prefixes]
        return f"({' OR '.join(parts)})"
