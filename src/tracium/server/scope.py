"""Whose data a question may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

# As the SDK has it.
MAX_TENANT_LENGTH: Final = 255
# A name that ends so stands for every tenant below it: ``org_123:*`` for ``org_123:workspace_456``.
_BELOW: Final = ":*"


@dataclass(frozen=True, slots=True)
class TenantScope:
    """The tenants that a read may see; made by `all` or `of`, so that no read has a scope by default."""

    # None: everything, what belongs to no tenant included.
    tenants: tuple[str, ...] | None

    @classmethod
    def all(cls) -> Self:
        """Every tenant, and what belongs to none: for the operator."""
        return cls(None)

    @classmethod
    def of(cls, *tenants: str) -> Self:
        """These tenants and nothing else.

        Args:
            tenants: ids; one that ends with ``:*`` stands for all ids that begin with what is before the ``*``.

        Raises:
            ValueError: there is none, or one is empty.
        """
        if not tenants or not all(tenants):
            raise ValueError(f"a scope needs at least one tenant, and each of at least one character, not {tenants!r}")
        return cls(tuple(dict.fromkeys(tenants)))

    @property
    def ids(self) -> tuple[str, ...]:
        """The tenants that are named whole."""
        return tuple(name for name in self.tenants or () if not name.endswith(_BELOW))

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What the ids of the other tenants begin with; each ends with a colon."""
        return tuple(name[:-1] for name in self.tenants or () if name.endswith(_BELOW))

    def allows(self, tenant: str | None) -> bool:
        """Whether what belongs to `tenant` may be seen; None is what belongs to nobody."""
        if self.tenants is None:
            return True
        return tenant is not None and (tenant in self.ids or tenant.startswith(self.prefixes))

    def condition(self, column: str = "TenantId") -> str:
        """The scope as an SQL expression over a column that holds tenant ids, with every value as a literal."""
        if self.tenants is None:
            return "true"
        parts = [f"{column} IN ({', '.join(map(literal, self.ids))})"] if self.ids else []
        parts += [f"startsWith({column}, {literal(prefix)})" for prefix in self.prefixes]
        return f"({' OR '.join(parts)})"


def literal(text: str) -> str:
    """A string as ClickHouse's SQL writes it; every byte that could mean something is escaped."""
    # https://clickhouse.com/docs/sql-reference/syntax#string
    escaped = "".join(
        char if char.isalnum() and char.isascii() else "".join(f"\\x{byte:02x}" for byte in char.encode())
        for char in text
    )
    return f"'{escaped}'"
