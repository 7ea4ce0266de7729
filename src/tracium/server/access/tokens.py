"""The tokens in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tracium.server.access.permit import Permit
from tracium.server.access.token import SESSION, KeptToken, Token, hashed, issue
from tracium.server.scope import TenantScope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.store import Store

_TABLE: Final = "tracium_tokens"
_COLUMNS: Final = (
    "Id",
    "Version",
    "Kind",
    "Hash",
    "Tenants",
    "Grants",
    "Name",
    "Parent",
    "CreatedAt",
    "ExpiresAt",
    "RevokedAt",
)
_ISSUED: Final = 0
_REVOKED: Final = 1


class Tokens:
    """Makes, lists and revokes tokens; several servers may share the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def make(
        self, permit: Permit, *, name: str = "", expires: datetime | None = None, parent: str = ""
    ) -> tuple[str, Token]:
        """Make a token; answer the secret, which is shown once and kept nowhere, and what is kept.

        Args:
            permit: what it allows.
            name: what a person calls it.
            expires: until when it holds; without it, until it is revoked.
            parent: the id of the token that a browser logged in with.

        Raises:
            StoreError: it could not be written.
        """
        text, token_id = issue(SESSION if parent else permit.kind)
        token = Token(id=token_id, permit=permit, name=name, created=datetime.now(UTC), expires=expires)
        self._write(KeptToken(token, hashed(text), parent), _ISSUED)
        return text, token

    def revoke(self, token_id: str) -> Token | None:
        """End a token for good; None if there is none of this id. One that was revoked stays as it is.

        Raises:
            StoreError: it could not be written.
        """
        kept = next((one for one in self.all() if one.token.id == token_id), None)
        if kept is None or kept.token.revoked is not None:
            return None if kept is None else kept.token
        token = _revoked(kept.token)
        self._write(KeptToken(token, kept.hash, kept.parent), _REVOKED)
        return token

    def all(self) -> tuple[KeptToken, ...]:
        """Every token, revoked and expired ones too, the oldest first.

        Raises:
            StoreError: the store could not answer.
        """
        sql = f"SELECT {', '.join(_COLUMNS)} FROM {_TABLE} FINAL ORDER BY CreatedAt, Id"  # noqa: S608 - constants
        return tuple(map(_kept, self._store.rows(TenantScope.all(), sql, {})))

    def state(self) -> tuple[int, int]:
        """Two numbers of which one changes with every token that is made or revoked, by whichever server.

        Raises:
            StoreError: the store could not answer.
        """
        sql = f"SELECT count() AS made, sum(Newest) AS revoked FROM (SELECT max(Version) AS Newest FROM {_TABLE} GROUP BY Id)"  # noqa: S608 - constants
        (row,) = self._store.rows(TenantScope.all(), sql, {})
        return row["made"], row["revoked"]

    def _write(self, kept: KeptToken, version: int) -> None:
        token = kept.token
        row = (
            token.id,
            version,
            token.permit.kind.value,
            kept.hash,
            list(token.permit.tenants),
            sorted(token.permit.grants),
            token.name,
            kept.parent,
            token.created,
            token.expires,
            token.revoked,
        )
        self._store.insert(_TABLE, _COLUMNS, [row])


def _kept(row: Mapping[str, Any]) -> KeptToken:
    token = Token(
        id=row["Id"],
        permit=Permit.of(row["Kind"], row["Tenants"], row["Grants"]),
        name=row["Name"],
        created=_utc(row["CreatedAt"]),
        expires=row["ExpiresAt"] and _utc(row["ExpiresAt"]),
        revoked=row["RevokedAt"] and _utc(row["RevokedAt"]),
    )
    return KeptToken(token, row["Hash"], row["Parent"])


def _revoked(token: Token) -> Token:
    return replace(token, revoked=datetime.now(UTC))


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
