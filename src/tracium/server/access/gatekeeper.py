"""Who is let in, over whichever protocol."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tracium.exceptions import StoreError
from tracium.server.access.attempts import Attempts
from tracium.server.access.principal import Principal
from tracium.server.access.refusal import TooManyAttemptsError, UnauthenticatedError, UnknownTokensError
from tracium.server.access.token import hashed, id_of, matches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.access.token import KeptToken
    from tracium.server.access.tokens import Tokens

# How late another server that shares the store hears of a revocation. This one's own are known at once.
_FRESH_SECONDS: Final = 1.0
_NOBODYS_HASH: Final = hashed("")
_NEVER: Final = float("-inf")


@dataclass(frozen=True, slots=True)
class _Known:
    """The store's tokens at one moment."""

    state: tuple[int, int] | None = None
    tokens: Mapping[str, KeptToken] = field(default_factory=dict)


class Gatekeeper:
    """Tells who asks by the token that is shown; to be used in one event loop.

    A store that never had a token is open to everybody, if the server allows that. One that had stays closed, also when
    its last token is revoked or past its time: losing a token must not open the door.

    Args:
        tokens: the store's tokens.
        required: whether a token is wanted although there is none yet.
        operator_key: what stands for the operator, besides tokens.
    """

    def __init__(self, tokens: Tokens, *, required: bool, operator_key: str | None = None) -> None:
        self._tokens = tokens
        self._required = required
        self._operator_hash = None if operator_key is None else hashed(operator_key)
        self._attempts = Attempts()
        self._known = _Known()
        self._checked = _NEVER
        # Counts what this server changed: what was being read meanwhile may be older.
        self._changes = 0
        self._reading = asyncio.Lock()

    async def authenticate(self, headers: Mapping[str, str], peer: str) -> Principal:
        """Tell who sent a request.

        Args:
            headers: the request's headers or metadata, with names in lower case.
            peer: the address that it came from.

        Raises:
            UnauthenticatedError: no valid token is shown.
            TooManyAttemptsError: none is, once too often from this address.
            UnknownTokensError: the store does not answer.
        """
        return await self.identify(bearer(headers), peer)

    async def identify(self, credential: str | None, peer: str) -> Principal:
        """Tell whose token `credential` is; None if none is shown. Raises as `authenticate` does."""
        tokens = await self._current()
        if not tokens and not self._required:
            return Principal.operator()
        if credential is None:
            raise UnauthenticatedError(shown=False)
        if self._operator_hash is not None and matches(credential, self._operator_hash):
            return Principal.operator()
        kept = tokens.get(id_of(credential))
        # An unknown id takes the time of a known one.
        right = matches(credential, _NOBODYS_HASH if kept is None else kept.hash)
        if kept is None or not right or not _holds(kept, tokens):
            if self._attempts.another(peer):
                raise TooManyAttemptsError
            raise UnauthenticatedError(shown=True)
        return kept.principal

    def forget(self) -> None:
        """Ask the store again before the next answer; to be called, from any thread, after tokens were changed."""
        self._changes += 1
        self._checked = _NEVER

    async def _current(self) -> Mapping[str, KeptToken]:
        if time.monotonic() - self._checked < _FRESH_SECONDS:
            return self._known.tokens
        async with self._reading:
            if time.monotonic() - self._checked >= _FRESH_SECONDS:
                await self._read()
        return self._known.tokens

    async def _read(self) -> None:
        changes, began = self._changes, time.monotonic()
        try:
            self._known = await asyncio.to_thread(self._newer, self._known)
        except StoreError as error:
            raise UnknownTokensError("the store cannot say which tokens are valid now. Try again later.") from error
        if changes == self._changes:
            self._checked = began

    def _newer(self, known: _Known) -> _Known:
        state = self._tokens.state()
        if state == known.state:
            return known
        return _Known(state, {kept.token.id: kept for kept in self._tokens.all()})


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token in ``Authorization: Bearer``; empty, which no token is, where the header is of another form."""
    header = headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _holds(kept: KeptToken, tokens: Mapping[str, KeptToken]) -> bool:
    """Whether a token holds; a browser's session does not outlive the token that it came from."""
    now = datetime.now(UTC)
    if not kept.holds(now):
        return False
    if not kept.parent:
        return True
    parent = tokens.get(kept.parent)
    return parent is not None and parent.holds(now)
