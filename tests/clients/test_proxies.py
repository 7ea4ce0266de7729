"""Proxies that belong to somebody else: what they can read has no tenant."""

from __future__ import annotations

import pytest
from support.app import environment, run_app
from support.recorder import recorder

BEGIN = """
import asyncio, contextlib, socket, urllib.request
import tracium
tracium.trace()
import aiohttp, httpx, requests, urllib3

known = socket.getaddrinfo
def getaddrinfo(host, *args, **kwargs):
    name = host.decode() if isinstance(host, bytes) else host
    return known("127.0.0.1" if name.endswith((".evil.example", ".internal")) else host, *args, **kwargs)
socket.getaddrinfo = getaddrinfo
"""
SEND = """
URL, PROXY = {url!r}, {proxy!r}
async def ask():
    async with aiohttp.ClientSession() as session:
        await session.get(URL, proxy=PROXY)
def ask_urllib():
    handler = urllib.request.ProxyHandler({{"http": PROXY, "https": PROXY}})
    urllib.request.build_opener(handler).open(URL).close()
ways = {{
    "requests": lambda: requests.get(URL, proxies={{"http": PROXY, "https": PROXY}}),
    "urllib3": lambda: urllib3.ProxyManager(PROXY, retries=False).request("GET", URL),
    "httpx": lambda: httpx.Client(proxy=PROXY).get(URL),
    "urllib": ask_urllib,
    "aiohttp": lambda: asyncio.run(ask()),
}}
with tracium.tenant("acme"):
    # The tunnel is refused.
    with contextlib.suppress(Exception):
        ways[{client!r}]()
"""
CLIENTS = ["requests", "urllib3", "httpx", "urllib", "aiohttp"]


def sent_to_proxy(client, scheme, host):
    with recorder() as proxy:
        code = SEND.format(url=f"{scheme}://orders.internal/x", proxy=proxy.url("", host=host), client=client)
        run_app(
            BEGIN + code, environment(OTEL_TRACES_EXPORTER="none", TRACIUM_PROPAGATION_KEY="only-for-this-test-0f3b")
        )
        (sent,) = proxy.take()
    return sent


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_outside_gets_no_tenant(client, scheme):
    """Neither in a request that it passes on without TLS, nor in the one for a tunnel."""
    sent = sent_to_proxy(client, scheme, "proxy.evil.example")
    assert "acme" not in str(sent.headers)
    assert "signature" not in str(sent.headers)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_proxy_inside_may_read_it(client):
    """It is one of ours."""
    assert "tenant.id=acme" in sent_to_proxy(client, "http", "proxy.internal").baggage
