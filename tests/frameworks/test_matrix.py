"""The tenant holds through everything that a request does, and for nothing after it: spans, logs, `get_current_tenant()`."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.running import APP, SERVER, running_app
from websockets.sync.client import connect

SAMPLERS = {"sampled": "parentbased_always_on", "unsampled": "always_off"}
TENANTS = ["acme", None, "globex", "initech", None, "org_123:workspace_456", "acme"]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("middleware", ["hand", "ready"])
@pytest.mark.parametrize("name", APP)
def test_the_tenant_holds_through_everything(name, middleware, sampler):
    """Each endpoint, for tenants and for nobody, one after the other on one connection and many at once."""
    paths = APP[name][2].split()
    with running_app(name, MIDDLEWARE=middleware, OTEL_TRACES_SAMPLER=SAMPLERS[sampler]) as app:
        connection = app.server.connect()
        for path, tenant in itertools.product(paths, TENANTS[:3]):
            app.ask(path, tenant, connection)
        connection.close()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda pair: app.ask(*pair), itertools.product(paths, TENANTS)))
        app.check_noted()
    if sampler == "unsampled":
        assert app.receiver.spans == []
    else:
        assert app.check_spans() == set(app.asked)


@pytest.mark.parametrize("name", ["fastapi", "starlette"])
@pytest.mark.parametrize("middleware", ["hand", "ready"])
def test_a_websocket_has_its_tenant_in_every_message(name, middleware):
    """A connection that sets a second tenant is a mixed request: its span keeps the first and says so."""
    with running_app(name, MIDDLEWARE=middleware) as app:
        for tenant in ("acme", "globex"):
            url = f"ws://127.0.0.1:{app.server.port}{app.url('/socket', tenant)}"
            with connect(url, additional_headers={"X-Tenant-ID": tenant}) as socket:
                for message in ("one", "two"):
                    socket.send(message)
                    assert socket.recv() == tenant
                if tenant == "globex":
                    socket.send("tenant initech")
                    assert socket.recv() == "initech"
        assert app.server.trouble() == []
    spans = app.receiver.spans
    assert {(s.attributes["request"], s.name): s.tenant for s in spans if "request" in s.attributes} == {
        (0, "one"): "acme",
        (0, "two"): "acme",
        (1, "one"): "globex",
        (1, "two"): "globex",
        (1, "tenant initech"): "initech",
    }
    servers = [(s.tenant, s.attributes.get("tracium.tenant.mixed")) for s in spans if s.kind == SERVER]
    assert servers == [("acme", None), ("globex", True)]


@pytest.mark.parametrize("name", ["fastapi", "flask"])
def test_a_client_that_goes_away_leaves_nothing_behind(name):
    """The body's end runs with the tenant of its request, and the next request has its own."""
    with running_app(name) as app:
        for tenant in ("acme", "globex") * 3:
            app.server.hang_up(app.url("/slow", tenant), tenant)
            app.ask("/plain", None)
        app.check_noted()
    assert app.check_spans() == set(app.asked)


@pytest.mark.parametrize("server", ["uvicorn", "uvicorn h11"])
@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("fastapi", "/async"),
        ("fastapi", "/stream"),
        ("fastapi", "/own/endpoint"),
        ("fastapi", "/background"),
        ("starlette", "/async"),
        ("starlette", "/stream"),
    ],
)
def test_requests_that_are_sent_at_once_on_one_connection_are_apart(name, first, server):
    """The server starts the second from within the first one's answer, where everything of the first is still there."""
    with running_app(name, server=server) as app:
        asked = [
            (app.url(path, tenant), tenant) for path, tenant in ((first, "acme"), ("/plain", "globex"), (first, "b"))
        ]
        answers = app.server.pipeline(*asked)
        assert answers.count("HTTP/1.1 200") == 3, answers
        app.check_noted()
    assert app.check_spans() == set(app.asked)


def test_a_forgotten_teardown_shows_nothing_to_the_next_request():
    """One thread serves all requests of a connection, and the app never clears."""
    with running_app("flask", server="flask run", FORGETS="1") as app:
        connection = app.server.connect()
        for tenant, path in itertools.product(("acme", None, "globex", None), ("/plain", "/stream", "/error")):
            app.ask(path, tenant, connection)
        app.check_noted()
    assert app.check_spans() == set(app.asked)
