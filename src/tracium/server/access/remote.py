"""The administration of a server that runs, over its API; needs nothing but the standard library."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from tracium.server.access.audit import Entry
from tracium.server.access.token import Made, Token

if TYPE_CHECKING:
    from datetime import datetime

    from tracium.server.access.permit import Permit
    from tracium.server.client import Endpoint


class RemoteAdministration:
    """What `Administration` does, done by the server that has the store open."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def make(self, permit: Permit, name: str, expires: datetime | None) -> Made:
        """Make a token.

        Raises:
            StoreError: the server refuses, or does not answer.
        """
        told = {
            "kind": permit.kind.value,
            "tenants": list(permit.tenants),
            "grants": sorted(permit.grants),
            "name": name,
            "expires": None if expires is None else expires.isoformat(),
        }
        answer = self._endpoint.ask("POST", "/api/v1/tokens", told)
        return Made(answer["secret"], Token.from_json(answer["token"]))

    def tokens(self) -> tuple[Token, ...]:
        """Every token that a person made, the oldest first.

        Raises:
            StoreError: the server refuses, or does not answer.
        """
        return tuple(map(Token.from_json, self._endpoint.ask("GET", "/api/v1/tokens")["tokens"]))

    def revoke(self, token_id: str) -> Token | None:
        """End a token; None if there is none.

        Raises:
            StoreError: the server refuses, or does not answer.
        """
        if all(token.id != token_id for token in self.tokens()):
            return None
        return Token.from_json(self._endpoint.ask("DELETE", f"/api/v1/tokens/{quote(token_id, safe='')}"))

    def entries(self, since: datetime, limit: int) -> tuple[Entry, ...]:
        """The newest entries of the audit log since a moment, the newest first.

        Raises:
            StoreError: the server refuses, or does not answer.
        """
        query = urlencode({"from": since.isoformat(), "limit": limit})
        return tuple(map(Entry.from_json, self._endpoint.ask("GET", f"/api/v1/audit?{query}")["entries"]))
