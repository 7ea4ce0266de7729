"""A browser logs in, stays logged in, and does for no other site what only its user may do."""

from __future__ import annotations

import json
import socket
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import pytest
from support.serving import Serving

from tracium.server.access.operatorkey import found
from tracium.server.client import Endpoint
from tracium.server.location import Directory


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server whose store has a tenant's token."""
    with Serving(tmp_path_factory.mktemp("site")) as server:
        server.operator = Endpoint(server.url, found(Directory(server.data)).token)
        made = server.operator.ask("POST", "/api/v1/tokens", {"kind": "read", "tenants": ["acme"], "grants": ["cost"]})
        server.token, server.token_id = made["secret"], made["token"]["id"]
        yield server


@pytest.fixture(scope="module")
def open_site(tmp_path_factory):
    """A server whose store never had a token."""
    with Serving(tmp_path_factory.mktemp("open")) as server:
        yield server


def log_in(site, token, **headers):
    return post(site, "/api/v1/session", {"token": token}, **headers)


def post(site, path, told, method="POST", **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.ask(method, path, json.dumps(told), {"Content-Type": "application/json", **sent})


def cookie_of(headers):
    ((name, morsel),) = SimpleCookie(headers["set-cookie"]).items()
    return name, morsel


def logged_in(site):
    name, morsel = cookie_of(log_in(site, site.token)[1])
    return f"{name}={morsel.value}"


def test_logging_in(site):
    """The cookie is a secret of its own that no script reads and no other site sends; its name has the port."""
    status, headers, answer = log_in(site, site.token)
    assert status == 200
    assert json.loads(answer) == {"id": site.token_id, "kind": "read", "tenants": ["acme"], "grants": ["cost"]}
    name, morsel = cookie_of(headers)
    assert name == f"tracium_{urlsplit(site.url).port}"
    assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "strict", "/")
    # Without TLS the browser would not send it back; without an age it goes when the browser ends.
    assert (morsel["secure"], morsel["max-age"], morsel["expires"], morsel["domain"]) == ("", "", "", "")
    assert site.token not in morsel.value
    status, _, answer = site.ask("GET", "/api/v1/session", headers={"Cookie": f"other=1; {name}={morsel.value}"})
    assert (status, json.loads(answer)["id"]) == (200, site.token_id)


def test_a_session_is_no_more_than_its_token(site):
    """It may do what the token may, and is in no list of tokens."""
    cookie = logged_in(site)
    assert site.ask("GET", "/api/v1/tokens", headers={"Cookie": cookie})[0] == 403
    listed = site.operator.ask("GET", "/api/v1/tokens")["tokens"]
    assert [token["id"] for token in listed] == [site.token_id]


def test_a_session_makes_no_other_one(site):
    """Who copied a cookie cannot stay for longer than it lasts."""
    _, _, session = logged_in(site).partition("=")
    assert log_in(site, session)[0] == 401
    assert site.ask("GET", "/api/v1/session", headers={"Authorization": f"Bearer {session}"})[0] == 200


def test_a_session_ends_with_its_token(site):
    """Revoking the token logs out every browser that it let in."""
    made = site.operator.ask("POST", "/api/v1/tokens", {"kind": "usage"})
    name, morsel = cookie_of(log_in(site, made["secret"])[1])
    cookie = {"Cookie": f"{name}={morsel.value}"}
    assert site.ask("GET", "/api/v1/session", headers=cookie)[0] == 200
    site.operator.ask("DELETE", f"/api/v1/tokens/{made['token']['id']}")
    assert site.ask("GET", "/api/v1/session", headers=cookie)[0] == 401


def test_logging_out(site):
    """The session ends on the server too: who copied the cookie has nothing; the token itself stays."""
    cookie = logged_in(site)
    status, headers, _ = site.ask("DELETE", "/api/v1/session", headers={"Cookie": cookie, "Origin": site.url})
    assert status == 204
    assert cookie_of(headers)[1]["max-age"] == "0"
    assert site.ask("GET", "/api/v1/session", headers={"Cookie": cookie})[0] == 401
    assert log_in(site, site.token)[0] == 200


@pytest.mark.parametrize("told", [{"token": "wrong"}, {}, {"token": ""}, {"token": None}])
def test_a_wrong_token_does_not_log_in(site, told):
    """It is answered as everywhere, and sets no cookie."""
    status, headers, _ = post(site, "/api/v1/session", told)
    assert (status, headers["set-cookie"]) == (401, None)
    assert post(site, "/api/v1/session", {"token": 1})[0] == 400


def test_a_token_that_only_sends_does_not_log_in(site):
    """There is nothing to see with it."""
    made = site.operator.ask("POST", "/api/v1/tokens", {"kind": "ingest"})
    assert log_in(site, made["secret"])[0] == 403


def test_an_open_server_needs_no_cookie(open_site):
    """Whoever reaches it is its operator."""
    status, headers, answer = log_in(open_site, "whatever")
    assert (status, headers["set-cookie"], json.loads(answer)["kind"]) == (200, None, "admin")
    assert open_site.ask("DELETE", "/api/v1/session")[0] == 204


def test_a_wrong_header_is_not_mended_by_a_cookie(site):
    """Who shows a token by hand is who it says, or nobody."""
    headers = {"Cookie": logged_in(site), "Authorization": "Bearer wrong"}
    assert site.ask("GET", "/api/v1/session", headers=headers)[0] == 401


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost", "null", "", "https://127.0.0.1", "http://127.0.0.1:1"]
)
@pytest.mark.parametrize("path", ["/api/v1/session", "/api/v1/tokens", "/v1/traces"])
def test_a_foreign_page_changes_nothing(site, open_site, origin, path):
    """A POST from a page of another origin is refused, with a cookie, without one, and where no token is needed."""
    for server, headers in ((site, {"Cookie": logged_in(site)}), (site, {}), (open_site, {})):
        assert post(server, path, {"token": site.token}, Origin=origin, **headers)[0] == 403


def test_a_cookie_changes_nothing_without_an_origin(site):
    """A browser tells where a POST comes from; one that does not is not believed."""
    cookie = logged_in(site)
    assert site.ask("DELETE", "/api/v1/session", headers={"Cookie": cookie})[0] == 403
    assert site.ask("DELETE", "/api/v1/session", headers={"Cookie": cookie, "Origin": site.url})[0] == 204


@pytest.mark.parametrize("where", ["cross-site", "same-site"])
def test_a_foreign_page_reads_nothing(open_site, where):
    """Nor can it load anything in the background; a link to a page works. All of localhost's ports are one site."""
    foreign = {"Sec-Fetch-Site": where, "Sec-Fetch-Mode": "no-cors"}
    assert open_site.ask("GET", "/api/v1/tokens", headers=foreign)[0] == 403
    assert open_site.ask("GET", "/ready", headers={"Sec-Fetch-Site": where, "Sec-Fetch-Mode": "navigate"})[0] == 200
    assert post(open_site, "/api/v1/tokens", {"kind": "admin"}, Sec_Fetch_Site=where)[0] == 403
    navigated = {"Sec_Fetch_Site": where, "Sec_Fetch_Mode": "navigate"}
    assert post(open_site, "/api/v1/tokens", {"kind": "admin"}, **navigated)[0] == 403
    assert open_site.ask("GET", "/ready", headers={"Sec-Fetch-Site": "same-origin"})[0] == 200


def test_a_rebound_page(site, open_site):
    """A name that was made to point here is refused although its Origin is its Host, and learns no other name."""
    for server in (site, open_site):
        status, _, answer = post(
            server,
            "/api/v1/session",
            {"token": site.token},
            Host="evil.example:4318",
            Origin="http://evil.example:4318",
        )
        assert status == 421
        assert b"acme" not in answer


@pytest.mark.parametrize(("method", "path"), [("GET", "/health"), ("GET", "/api/v1/none"), ("POST", "/v1/traces")])
def test_what_every_answer_tells_a_browser(site, method, path):
    """No answer runs, frames or leaks anything, refusals included, and nobody is invited by CORS."""
    for extra in (
        {},
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Authorization": f"Bearer {site.token}"},
    ):
        _, headers, _ = site.ask(method, path, headers=extra)
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["frame-ancestors"] == "'none'"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert (headers["cache-control"] == "no-store") is path.startswith("/api/")
        assert not [name for name in headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("port", ["0", "99999", "65536"])
def test_a_host_with_an_impossible_port(site, port):
    """It is a request like another."""
    assert site.ask("GET", "/api/v1/session", headers={"Host": f"localhost:{port}"})[0] == 401


@pytest.mark.parametrize("name", ["Host", "Authorization"])
def test_a_header_that_stands_there_twice(site, name):
    """Whichever of the two a proxy has looked at, neither counts."""
    place = urlsplit(site.url).netloc
    values = {"Host": (place, "evil.example"), "Authorization": ("Bearer a", "Bearer b")}[name]
    head = "".join(f"{name}: {value}\r\n" for value in values) + ("" if name == "Host" else f"Host: {place}\r\n")
    host, _, port = place.partition(":")
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(f"GET /ready HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.split()[1] == {"Host": b"421", "Authorization": b"401"}[name]
