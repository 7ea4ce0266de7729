"""A token: how it is written, what is kept of it, and until when it holds."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self

from tracium.server.access.permit import Permit
from tracium.server.access.principal import Principal

if TYPE_CHECKING:
    from collections.abc import Mapping

# The kind that stands in the secret of a browser's session.
SESSION: Final = "session"
_PREFIX: Final = "tracium"
_PARTS: Final = 4
_ID_BYTES: Final = 6
# 256 bits.
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token; the secret itself is kept nowhere."""

    # Public: it stands in lists and in the audit log.
    id: str
    permit: Permit
    name: str
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON's types; times are ISO 8601 in UTC, and no tenants are null."""
        return {
            "id": self.id,
            "kind": self.permit.kind.value,
            "tenants": list(self.permit.tenants) or None,
            "grants": sorted(self.permit.grants),
            "name": self.name,
            "created": self.created.isoformat(),
            "expires": _written(self.expires),
            "revoked": _written(self.revoked),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            KeyError: a field is missing.
            ValueError: a word or a time is none.
        """
        return cls(
            id=value["id"],
            permit=Permit.of(value["kind"], value["tenants"] or (), value["grants"]),
            name=value["name"],
            created=datetime.fromisoformat(value["created"]),
            expires=_read(value["expires"]),
            revoked=_read(value["revoked"]),
        )


@dataclass(frozen=True, slots=True)
class Made:
    """A new token."""

    # To be shown once.
    secret: str
    token: Token


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token as the store keeps it: with its hash, and the one it was derived from."""

    token: Token
    hash: str
    # The id of the token that a browser logged in with; '' for a token that a person made.
    parent: str = ""

    def holds(self, now: datetime) -> bool:
        """Whether it is neither revoked nor past its time."""
        return self.token.revoked is None and (self.token.expires is None or now < self.token.expires)

    @property
    def principal(self) -> Principal:
        """Who shows it. A browser's session acts in the name of the token that was logged in with."""
        permit = self.token.permit
        return Principal(self.parent or self.token.id, permit.kind, permit.scope, permit.shown)


def issue(kind: str) -> tuple[str, str]:
    """A new token, to be shown once, and its id.

    Args:
        kind: the word that tells a reader, and a scanner for leaked secrets, what it is.
    """
    token_id = secrets.token_hex(_ID_BYTES)
    return f"{_PREFIX}_{kind}_{token_id}_{secrets.token_hex(_SECRET_BYTES)}", token_id


def hashed(text: str) -> str:
    """What is kept of a token, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def id_of(text: str) -> str:
    """The id that stands in a token; '' where none does."""
    parts = text.split("_")
    return parts[2] if len(parts) == _PARTS and parts[0] == _PREFIX else ""


def is_session(text: str) -> bool:
    """Whether it is a browser's session rather than a token that a person made."""
    return text.startswith(f"{_PREFIX}_{SESSION}_")


def matches(text: str, kept: str) -> bool:
    """Whether `text` is the token of which `kept` is the hash, in a time that tells nothing."""
    return hmac.compare_digest(hashed(text), kept)


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
