"""A store that does not answer tells a tenant nothing: the engine's words name others and quote the statement."""

from __future__ import annotations

import uuid

import pytest
from starlette.testclient import TestClient

from tracium.exceptions import StoreError
from tracium.server.access.permit import Permit
from tracium.server.access.tokens import Tokens
from tracium.server.app import create_app
from tracium.server.keeping.held import Signal
from tracium.server.keeping.rules import Retention
from tracium.server.scope import TenantScope

HTML = {"Accept": "text/html"}
WRONG = ("SELECT no_such_column FROM otel_traces", "SELECT FROM WHERE", "SELECT throwIf(1, 'x'), 'hidden'")


@pytest.fixture
def other(store):
    """A tenant who is named in the conditions of every statement."""
    name = f"other-{uuid.uuid4()}"
    Retention(store).set(Signal.SPANS, name, 1)
    yield name
    Retention(store).set(Signal.SPANS, name, None)


@pytest.mark.parametrize("sql", WRONG)
def test_the_statement_is_not_in_the_reason(store, other, sql):
    """What the engine says is kept without the statement, of which everybody's names are a part."""
    with pytest.raises(StoreError) as caught:
        store.rows(TenantScope.of("acme"), sql)
    text = str(caught.value)
    assert "Code: " in text
    assert not any(hidden in text for hidden in (other, "startsWith", "SETTINGS", "TenantId", "sipHash", "hidden"))


@pytest.mark.parametrize("kind", ["usage", "read", "admin"])
def test_only_an_administrator_reads_why(store, kind, monkeypatch):
    """Everybody else is told that the store does not answer, on pages and in the API alike."""
    tenants = [] if kind == "admin" else ["acme"]
    secret, token = Tokens(store).make(Permit.of(kind, tenants, ()))
    client = TestClient(create_app(store), base_url="http://localhost", headers={"Authorization": f"Bearer {secret}"})
    client.get("/ready")
    rows = store.rows

    def failing(scope, sql, parameters=None):
        return rows(scope, sql if "tracium_tokens" in sql else WRONG[0], parameters)

    monkeypatch.setattr(store, "rows", failing)
    try:
        for path, headers in (("/api/v1/overview", {}), ("/overview", HTML), ("/ready", {})):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 503
            assert ("no_such_column" in answer.text) is (kind == "admin")
            assert (str(store.location) in answer.text) is (kind == "admin")
    finally:
        monkeypatch.undo()
        Tokens(store).revoke(token.id)


@pytest.mark.parametrize("name", ["right/UTC", "posix/UTC", "../UTC", "localtime/x", "\0"])
def test_a_zone_that_the_engine_does_not_know(store, name):
    """It is refused before the engine is asked."""
    secret, token = Tokens(store).make(Permit.of("read", ["acme"], ()))
    client = TestClient(create_app(store), base_url="http://localhost", headers={"Authorization": f"Bearer {secret}"})
    for path, headers in (("/api/v1/overview", {}), ("/overview", HTML)):
        answer = client.get(path, params={"tz": name}, headers=headers)
        assert answer.status_code == 400
        assert "is no time zone" in answer.text
    Tokens(store).revoke(token.id)


@pytest.mark.parametrize(
    "asked",
    [
        "/overview?from=0001-01-01&to=9999-12-31",
        "/tenants?from=1969-01-01&to=2026-01-01",
        "/overview?from=1971-01-01&to=2026-01-01&bucket=15m",
        "/compare?tenant=a&tenant=b&from=2000-01-01&to=2026-01-01&bucket=hour",
        "/tenants/a/usage?from=1971-01-01&to=2100-01-01&bucket=hour",
    ],
)
def test_a_range_without_end(store, asked):
    """More than can be is refused at once, with what to do."""
    secret, token = Tokens(store).make(Permit.of("read", ["acme"], ()))
    client = TestClient(create_app(store), base_url="http://localhost", headers={"Authorization": f"Bearer {secret}"})
    answer = client.get(f"/api/v1{asked}")
    assert answer.status_code == 400
    assert "between 1970 and 2105" in answer.text or "points of this range" in answer.text
    Tokens(store).revoke(token.id)
