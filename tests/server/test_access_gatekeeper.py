"""The gatekeeper by itself: several servers on one store, and a store that does not answer."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from tracium.exceptions import StoreError
from tracium.server.access.administration import Administration
from tracium.server.access.audit import Audit
from tracium.server.access.gatekeeper import Gatekeeper
from tracium.server.access.permit import Permit
from tracium.server.access.principal import Grant, Kind, Principal
from tracium.server.access.refusal import UnauthenticatedError, UnknownTokensError
from tracium.server.access.tokens import Tokens

PERMIT = Permit(Kind.READ, ("acme", "org_1:*"), frozenset({Grant.COST}))


class Failing:
    """The store, but writing into one table fails, or reading does."""

    def __init__(self, store, *, table=None, read=False):
        self._store = store
        self._table = table
        self._read = read

    def rows(self, *arguments):
        if self._read:
            raise StoreError("gone")
        return self._store.rows(*arguments)

    def insert(self, table, columns, rows):
        if table == self._table:
            raise StoreError("full")
        self._store.insert(table, columns, rows)


def headers(secret):
    return {"authorization": f"bearer {secret}"}


async def test_who_it_is(store):
    """A token's principal has its id, kind, tenants and grants; its way to be written is forgiven, nothing else."""
    secret, token = Tokens(store).make(PERMIT)
    gatekeeper = Gatekeeper(Tokens(store), required=True)
    principal = await gatekeeper.authenticate(headers(secret), "127.0.0.1")
    assert principal == Principal(token.id, Kind.READ, PERMIT.scope, PERMIT.grants)
    assert await gatekeeper.authenticate({"authorization": f"Bearer  {secret} "}, "") == principal
    for wrong in ({}, {"authorization": secret}, {"cookie": f"tracium_4318={secret}"}, {"Authorization": "Bearer x"}):
        with pytest.raises(UnauthenticatedError):
            await gatekeeper.authenticate(wrong, "")


async def test_another_server_on_the_same_store(store):
    """What one server makes and revokes, another one knows within a second."""
    tokens = Tokens(store)
    other = Gatekeeper(tokens, required=True)
    secret, token = tokens.make(PERMIT)
    assert (await other.authenticate(headers(secret), "")).id == token.id
    tokens.revoke(token.id)
    await asyncio.sleep(1.05)
    with pytest.raises(UnauthenticatedError):
        await other.authenticate(headers(secret), "")


async def test_one_question_for_many_requests(store):
    """A crowd that arrives at once asks the store once."""
    asked = []

    class Counting(Tokens):
        def state(self):
            asked.append(1)
            time.sleep(0.05)
            return super().state()

    secret, _ = Tokens(store).make(PERMIT)
    gatekeeper = Gatekeeper(Counting(store), required=True)
    await asyncio.gather(*(gatekeeper.authenticate(headers(secret), "") for _ in range(50)))
    assert len(asked) == 1


async def test_a_revocation_while_the_store_is_read(store):
    """What was read before a change is not taken for what holds after it."""
    tokens = Tokens(store)
    secret, token = tokens.make(PERMIT)

    class Slow(Tokens):
        def all(self):
            read = super().all()
            if not changed:
                changed.append(tokens.revoke(token.id))
                gatekeeper.forget()
            return read

    changed = []
    gatekeeper = Gatekeeper(Slow(store), required=True)
    await gatekeeper.authenticate(headers(secret), "")
    with pytest.raises(UnauthenticatedError):
        await gatekeeper.authenticate(headers(secret), "")


async def test_a_store_that_does_not_answer(store):
    """Nobody is let in, with the word to come back."""
    gatekeeper = Gatekeeper(Tokens(Failing(store, read=True)), required=False)
    with pytest.raises(UnknownTokensError) as raised:
        await gatekeeper.authenticate({}, "")
    assert (raised.value.status, raised.value.retry_after) == (503, 5)


async def test_the_state_survives_merges(store):
    """Rows that are folded away in the background change nothing."""
    tokens = Tokens(store)
    _, token = tokens.make(PERMIT)
    tokens.revoke(token.id)
    before = tokens.state(), tokens.all()
    store.write("OPTIMIZE TABLE tracium_tokens FINAL")
    assert (tokens.state(), tokens.all()) == before
    assert next(kept for kept in tokens.all() if kept.token.id == token.id).token.revoked is not None


def test_what_cannot_be_noted_does_not_happen(store):
    """A deed whose entry in the audit log fails is not done."""
    before = Tokens(store).all()
    authority = Administration(Failing(store, table="tracium_audit"), Principal.operator())
    with pytest.raises(StoreError, match="full"):
        authority.make(PERMIT, "", None)
    with pytest.raises(StoreError, match="full"):
        authority.revoke(before[0].token.id if before else "none")
    with pytest.raises(StoreError, match="full"):
        authority.log_in()
    assert Tokens(store).all() == before


def test_entries_of_any_text(store):
    """An entry comes back as it was written, whatever a client made of its names."""
    text = "a'b\"c\\d\n\t{x:String}%s\x00😀"
    Audit(store).note(Principal.operator(), "content.read", text, detail=text, address="::1")
    entry = Audit(store).entries(datetime.now(UTC) - timedelta(minutes=1), 1)[0]
    assert (entry.principal, entry.action, entry.target, entry.detail, entry.address) == (
        "operator",
        "content.read",
        text,
        text,
        "::1",
    )
    assert type(entry).from_json(entry.to_json()) == entry
