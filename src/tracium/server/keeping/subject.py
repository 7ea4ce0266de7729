"""Whose data was erased, under a hash: what is remembered of it names nobody."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from tracium.server.keeping.held import Held  # noqa: TC001 - of a signature that others read at run time
from tracium.server.scope import TenantScope

if TYPE_CHECKING:
    from tracium.server.store import Store

_BITS: Final = 64
_READ_KEY: Final = "SELECT First, Second FROM tracium_erasure_key ORDER BY MadeAt, First, Second LIMIT 1"


@dataclass(frozen=True, slots=True)
class Person:
    """A tenant, a user of any tenant, or a user of one tenant."""

    tenant: str | None
    user: str | None

    def __post_init__(self) -> None:
        if not (self.tenant or self.user) or "" in {self.tenant, self.user}:
            raise ValueError("say whose data: a tenant, a user, or both, none of them empty")
        if self.tenant and self.tenant.endswith(":*"):
            raise ValueError(f"{self.tenant!r} is no tenant but a pattern: name each tenant whole")


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """The random key of a store's hashes.

    Whoever has the whole store can try names against it; lists, logs, receipts and the engine's own notes, which get
    into other hands, tell nothing.
    """

    first: int
    second: int

    @classmethod
    def of(cls, store: Store) -> Self:
        """The key of a store, made with its first use.

        Raises:
            StoreError: it could not be read or written.
        """
        found = store.rows(TenantScope.all(), _READ_KEY)
        if not found:
            made = (datetime.now(UTC), secrets.randbits(_BITS), secrets.randbits(_BITS))
            store.insert("tracium_erasure_key", ("MadeAt", "First", "Second"), [made])
            # Several servers may have made one at once: all take the earliest.
            found = store.rows(TenantScope.all(), _READ_KEY)
        return cls(found[0]["First"], found[0]["Second"])

    def of_tenant(self, tenant: str) -> str:
        """SQL: the subject that a tenant is.

        Args:
            tenant: SQL for its id.
        """
        return self._hash("0", tenant)

    def subjects(self, tenant: str, user: str) -> tuple[str, str, str]:
        """SQL: the subjects that a row of a tenant and a user belongs to.

        Args:
            tenant: SQL for the tenant's id.
            user: SQL for the user's id.
        """
        return self.of_tenant(tenant), self._hash("1", tenant, user), self._hash("2", user)

    def of_person(self, person: Person) -> tuple[str, dict[str, str]]:
        """SQL for the subject that a person is, and its parameters."""
        tenant, of_both, user = self.subjects("{tenant:String}", "{user:String}")
        told = {"tenant": person.tenant or "", "user": person.user or ""}
        if person.user is None:
            return tenant, told
        return (user if person.tenant is None else of_both), told

    def of_store(self, store: Store, person: Person) -> int:
        """The subject that a person is.

        Raises:
            StoreError: the store could not answer.
        """
        sql, parameters = self.of_person(person)
        subject: int = store.maintenance.rows(f"SELECT {sql} AS Subject", parameters)[0]["Subject"]
        return subject

    def is_of(self, subject: int, table: Held) -> str:
        """SQL: whether a row of a table belongs to a subject; no name stands in it.

        The engine keeps the text of what deletes rows.
        """
        hashes = self.subjects("TenantId", "UserId")
        if not table.has_users:
            return f"{hashes[0]} = {subject}"
        of_tenant, *of_user = (f"{one} = {subject}" for one in hashes)
        return f"({of_tenant} OR (UserId != '' AND ({' OR '.join(of_user)})))"

    def _hash(self, kind: str, *parts: str) -> str:
        return f"sipHash64Keyed(({self.first}::UInt64, {self.second}::UInt64), {kind}, {', '.join(parts)})"
