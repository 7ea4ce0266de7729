"""What an administrator does with tokens; each deed is in the audit log before it is done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from tracium.server.access.audit import Audit
from tracium.server.access.permit import Permit
from tracium.server.access.token import Made
from tracium.server.access.tokens import Tokens
from tracium.server.scope import MAX_TENANT_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracium.server.access.audit import Entry
    from tracium.server.access.principal import Principal
    from tracium.server.access.token import Token
    from tracium.server.store import Store

_SESSION: Final = timedelta(hours=12)


class Administration:
    """Makes, lists and revokes tokens in a store that is open.

    Args:
        store: the open store.
        principal: in whose name.
        address: where the request came from; '' for a command that works on the store itself.
        changed: called after a token was made or revoked.
    """

    def __init__(
        self, store: Store, principal: Principal, address: str = "", changed: Callable[[], None] = lambda: None
    ) -> None:
        self._tokens = Tokens(store)
        self._audit = Audit(store)
        self._principal = principal
        self._address = address
        self._changed = changed

    def make(self, permit: Permit, name: str, expires: datetime | None) -> Made:
        """Make a token.

        Raises:
            ValueError: it would be past its time already, or a tenant is none.
            StoreError: it could not be written.
        """
        if expires is not None and expires <= datetime.now(UTC):
            raise ValueError(f"a token that expires at {expires.isoformat()} would never have held.")
        if strange := [tenant for tenant in permit.tenants if len(tenant) > MAX_TENANT_LENGTH]:
            raise ValueError(f"{strange[0][:50]!r}… is no tenant: an id has at most {MAX_TENANT_LENGTH} characters.")
        self._note("token.create", name, detail=_described(permit))
        made = Made(*self._tokens.make(permit, name=name, expires=expires))
        self._changed()
        return made

    def tokens(self) -> tuple[Token, ...]:
        """Every token that a person made, the oldest first.

        Raises:
            StoreError: the store could not answer.
        """
        return tuple(kept.token for kept in self._tokens.all() if not kept.parent)

    def revoke(self, token_id: str) -> Token | None:
        """End a token at once, and for good, with all sessions of browsers that came from it; None if there is none.

        Raises:
            StoreError: it could not be written.
        """
        self._note("token.revoke", token_id)
        token = self._tokens.revoke(token_id)
        self._changed()
        return token

    def entries(self, since: datetime, limit: int) -> tuple[Entry, ...]:
        """The newest entries of the audit log since a moment, the newest first.

        Raises:
            StoreError: the store could not answer.
        """
        return self._audit.entries(since, limit)

    def log_in(self) -> str:
        """Open a session for a browser that showed this principal's token; answer the session's own secret.

        Raises:
            StoreError: it could not be written.
        """
        self._note("session.create")
        expires = datetime.now(UTC) + _SESSION
        secret, _ = self._tokens.make(Permit.behind(self._principal), expires=expires, parent=self._principal.id)
        self._changed()
        return secret

    def log_out(self, session_id: str) -> None:
        """End a browser's session.

        Raises:
            StoreError: it could not be written.
        """
        self._tokens.revoke(session_id)
        self._changed()

    def _note(self, action: str, target: str = "", detail: str = "") -> None:
        self._audit.note(self._principal, action, target, detail=detail, address=self._address)


def _described(permit: Permit) -> str:
    parts = [f"kind={permit.kind}"]
    if permit.tenants:
        parts.append(f"tenants={','.join(permit.tenants)}")
    if permit.grants:
        parts.append(f"grants={','.join(sorted(permit.grants))}")
    return " ".join(parts)
