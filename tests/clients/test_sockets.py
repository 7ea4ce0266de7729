"""Connections that clients make in ways of their own: where they lead cannot be told, so the tenant does not go along."""

from __future__ import annotations

from support.app import environment, run_app
from support.recorder import recorder


def test_a_unix_socket_is_no_host(tmp_path):
    """Of urllib3 and what is built on it, of urllib and of aiohttp; what an app forwards is taken out."""
    path = str(tmp_path / "socket")
    with recorder(path) as server:
        run_app(
            f"""
            import asyncio, http.client, socket, urllib.request
            import tracium
            tracium.trace()
            import aiohttp, requests, urllib3

            FORWARDED = {{"baggage": "tenant.id=evil,team=blue"}}

            def connected():
                unix = socket.socket(socket.AF_UNIX)
                unix.connect({path!r})
                return unix

            class Connection(urllib3.connection.HTTPConnection):
                def _new_conn(self):
                    return connected()

            class Pool(urllib3.HTTPConnectionPool):
                ConnectionCls = Connection

            class Adapter(requests.adapters.HTTPAdapter):
                def get_connection_with_tls_context(self, *args, **kwargs):
                    return Pool("localhost")

            class Plain(http.client.HTTPConnection):
                def connect(self):
                    self.sock = connected()

            class Handler(urllib.request.HTTPHandler):
                def http_open(self, request):
                    return self.do_open(Plain, request)

            async def ask():
                async with aiohttp.ClientSession(connector=aiohttp.UnixConnector({path!r})) as session:
                    await (await session.get("http://localhost/", headers=FORWARDED)).read()

            with tracium.tenant("acme"):
                Pool("localhost").request("GET", "/", headers=FORWARDED)
                session = requests.Session()
                session.mount("http://", Adapter())
                session.get("http://localhost/", headers=FORWARDED)
                opener = urllib.request.build_opener(Handler)
                opener.open(urllib.request.Request("http://localhost/", headers=FORWARDED)).close()
                asyncio.run(ask())
            """,
            environment(OTEL_TRACES_EXPORTER="none"),
        )
        assert [sent.baggage for sent in server.take()] == ["team=blue"] * 4


def test_an_absolute_target_is_believed_of_a_proxy_only():
    """A pool that is no proxy's sends it to its own host: neither can be told from the other."""
    with recorder() as server:
        run_app(
            f"""
            import tracium
            tracium.trace()
            import urllib3
            with tracium.tenant("acme"), urllib3.HTTPConnectionPool("127.0.0.1", {server.port}) as pool:
                pool.urlopen("GET", "http://127.0.0.1:{server.port}/")
                pool.urlopen("GET", "http://orders.internal/", assert_same_host=False)
                pool.urlopen("OPTIONS", "/?a=http://evil.example/")
            """,
            environment(OTEL_TRACES_EXPORTER="none"),
        )
        assert [sent.baggage for sent in server.take()] == ["tenant.id=acme", "", "tenant.id=acme"]
