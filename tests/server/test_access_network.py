"""TLS, proxies, and what is refused to listen beyond the machine."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import subprocess
import sys
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import pytest
from support.certificate import write_certificate
from support.serving import Serving

from tracium.exceptions import StoreError, TraciumError
from tracium.server.access.operatorkey import found
from tracium.server.access.protection import Protection, Tls, network
from tracium.server.client import Endpoint
from tracium.server.location import Directory

PROXY = "127.0.0.1"


def operator(server):
    key = found(Directory(server.data))
    return Endpoint(server.url, key.token, key.certificate)


def ask_tls(server, certificate, method, path, body=None, headers=None):
    context = ssl.create_default_context(cafile=certificate)
    connection = http.client.HTTPSConnection(urlsplit(server.url).netloc, timeout=30, context=context)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_tls(tmp_path):
    """Clients that trust the certificate are answered, the cookie is for TLS only, and commands of the machine work."""
    certificate, key = write_certificate(tmp_path)
    options = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    with Serving(tmp_path / "d", *options) as server:
        assert server.url.startswith("https://127.0.0.1:")
        assert ask_tls(server, certificate, "GET", "/health")[0] == 200
        secret = operator(server).ask("POST", "/api/v1/tokens", {"kind": "read"})["secret"]
        headers = {"Content-Type": "application/json", "Origin": server.url}
        body = json.dumps({"token": secret})
        status, answered, _ = ask_tls(server, certificate, "POST", "/api/v1/session", body, headers)
        ((name, morsel),) = SimpleCookie(answered["set-cookie"]).items()
        assert (status, name) == (200, f"__Host-tracium_{urlsplit(server.url).port}")
        assert (morsel["secure"], morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, True, "strict", "/")
        with pytest.raises(StoreError, match="certificate verify failed"):
            Endpoint(server.url).ask("GET", "/health")
        (tmp_path / "other").mkdir()
        other = write_certificate(tmp_path / "other")[0].read_text()
        with pytest.raises(StoreError, match="certificate verify failed"):
            Endpoint(server.url, certificate=other).ask("GET", "/health")
        command = [sys.executable, "-m", "tracium", "usage", "--data", str(server.data), "--json"]
        assert json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)["tenants"] == []


def test_a_key_of_another_certificate(tmp_path):
    """What does not belong together is refused with both names."""
    (tmp_path / "other").mkdir()
    certificate, _ = write_certificate(tmp_path)
    _, key = write_certificate(tmp_path / "other")
    with pytest.raises(TraciumError, match="Name PEM files of a certificate and its own key"):
        Tls(certificate, key)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.2", "fe80::1%eth0"])
def test_beyond_the_machine(tmp_path, address):
    """Others may come only over TLS or through a proxy that speaks it, and only with tokens."""
    tls = Tls(*write_certificate(tmp_path))
    with pytest.raises(TraciumError, match="--behind-proxy NETWORK"):
        Protection(require_token=True).refuse_plain(address)
    for protection in (Protection(tls), Protection(None, (network("10.0.0.0/8"),))):
        protection.refuse_plain(address)
        with pytest.raises(TraciumError, match="tracium token create"):
            protection.refuse_open(address, has_tokens=False)
        protection.refuse_open(address, has_tokens=True)
        assert protection.requires_token(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1"])
def test_on_the_machine(address):
    """Nothing is needed, unless a proxy brings others there."""
    Protection().refuse_plain(address)
    Protection().refuse_open(address, has_tokens=False)
    assert not Protection().requires_token(address)
    with pytest.raises(TraciumError, match="there is no token yet"):
        Protection(None, (network("127.0.0.1"),)).refuse_open(address, has_tokens=False)


def serve_refused(data, *options):
    arguments = [sys.executable, "-m", "tracium", "serve", "--data", str(data), "--port", "0", *options]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60)


def test_listening_everywhere_without_a_token(tmp_path):
    """The command says what to do, and does nothing."""
    certificate, key = write_certificate(tmp_path)
    options = ["--host", "0.0.0.0", "--tls-cert", str(certificate), "--tls-key", str(key)]
    done = serve_refused(tmp_path / "d", *options)
    assert done.returncode == 1
    assert "there is no token yet. Make one first, for example: tracium token create --kind admin" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with Serving(tmp_path / "d", "--require-token", *options) as server:
        assert ask_tls(server, certificate, "GET", "/ready")[0] == 401
        assert operator(server).ask("GET", "/ready") == {"status": "ready"}


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """A server behind a proxy on this machine."""
    options = ["--require-token", "--behind-proxy", PROXY, "--allow-host", "tracium.example"]
    with Serving(tmp_path_factory.mktemp("proxied"), *options) as server:
        yield server


FORWARDED = {
    "X-Forwarded-Host": "tracium.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "198.51.100.1, 203.0.113.7",
}


def test_through_the_proxy(proxied):
    """Host, scheme and client are those that the proxy saw: the cookie is secure, and the audit log has the client."""
    secret = operator(proxied).ask("POST", "/api/v1/tokens", {"kind": "admin"})["secret"]
    headers = {"Content-Type": "application/json", **FORWARDED}
    body = json.dumps({"token": secret})
    for origin, expected in (("https://tracium.example", 200), ("http://tracium.example", 403), (proxied.url, 403)):
        status, answered, _ = proxied.ask("POST", "/api/v1/session", body, {**headers, "Origin": origin})
        assert status == expected
        assert (answered["set-cookie"] or "").startswith("__Host-tracium_443=") is (expected == 200)
    (entry,) = operator(proxied).ask("GET", "/api/v1/audit?limit=1")["entries"]
    # The last one, which the proxy itself added: what is before it may be anybody's word.
    assert (entry["action"], entry["address"]) == ("session.create", "203.0.113.7")


def test_a_proxy_that_took_it_in_the_clear(proxied):
    """A request that came to the proxy without TLS is refused, and a foreign host through it."""
    assert proxied.ask("GET", "/ready", headers={**FORWARDED, "X-Forwarded-Proto": "http"})[0] == 403
    assert proxied.ask("GET", "/ready", headers={**FORWARDED, "X-Forwarded-Host": "evil.example"})[0] == 421
    assert proxied.ask("GET", "/ready", headers=FORWARDED)[0] == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")], 403),
        ([("X-Forwarded-Proto", "https, http")], 403),
        ([("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Host", "tracium.example")], 200),
        ([("X-Forwarded-Host", "tracium.example"), ("X-Forwarded-Host", "evil.example")], 421),
        ([("X-Forwarded-Host", "tracium.example, evil.example")], 421),
        ([("X-Forwarded-Host", " ")], 421),
        ([("Forwarded", "host=tracium.example;proto=https")], 421),
    ],
)
def test_what_a_client_told_the_proxy(proxied, headers, status):
    """The proxy's word stands behind the client's, in a line of its own or not, and only it counts."""
    connection = http.client.HTTPConnection(urlsplit(proxied.url).netloc, timeout=30)
    with contextlib.closing(connection):
        connection.putrequest("GET", "/health", skip_host=True)
        connection.putheader("Host", "tracium.example" if headers[0][0] == "X-Forwarded-Proto" else "upstream")
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == status


def test_a_proxy_elsewhere(tmp_path):
    """Who is not the proxy is not believed its headers; commands of this machine are answered."""
    with Serving(
        tmp_path / "d", "--require-token", "--behind-proxy", "10.0.0.0/8", "--allow-host", "t.example"
    ) as server:
        assert operator(server).ask("GET", "/ready") == {"status": "ready"}
        assert server.ask("GET", "/health", headers={"X-Forwarded-Host": "evil.example"})[0] == 200
        told = {"kind": "usage"}
        headers = {"Authorization": f"Bearer {operator(server).token}", "Content-Type": "application/json", **FORWARDED}
        assert server.ask("POST", "/api/v1/tokens", json.dumps(told), headers)[0] == 201
        (entry,) = operator(server).ask("GET", "/api/v1/audit?limit=1")["entries"]
        assert entry["address"] == "127.0.0.1"


async def test_nobody_but_the_proxy():
    """A client from elsewhere is refused whatever it says of itself; its health is told to anyone."""
    from starlette.responses import PlainTextResponse

    from tracium.server.access.proxy import BehindProxy

    app = BehindProxy(PlainTextResponse("in"), (network("10.0.0.0/8"),))

    async def status(client, path="/ready"):
        sent = []

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "client": client and (client, 1)}
        await app(scope, None, send)
        return sent[0]["status"]

    assert await status("10.1.2.3") == 200
    assert await status("::ffff:10.1.2.3") == 200
    assert await status("127.0.0.1") == 200
    for stranger in ("192.0.2.1", "2001:db8::1", None, "unix"):
        assert await status(stranger) == 403
        assert await status(stranger, "/health") == 200
