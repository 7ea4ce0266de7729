"""An app that sends by every HTTP client what it is told to, a line of JSON each, and says what came of it."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

INSTRUMENTORS = {
    "aiohttp_client": ["AioHttpClientInstrumentor"],
    "httpx": ["HTTPXClientInstrumentor", "HTTPX2ClientInstrumentor"],
    "requests": ["RequestsInstrumentor"],
    "urllib": ["URLLibInstrumentor"],
    "urllib3": ["URLLib3Instrumentor"],
}

if os.environ.get("BY_HAND") == "before":
    for module, names in INSTRUMENTORS.items():
        for name in names:
            getattr(importlib.import_module(f"opentelemetry.instrumentation.{module}"), name)().instrument()

import tracium  # noqa: E402

tracium.trace()

import urllib.parse  # noqa: E402
import urllib.request  # noqa: E402

import aiohttp  # noqa: E402
import httpx  # noqa: E402
import httpx2  # noqa: E402
import requests  # noqa: E402
import urllib3  # noqa: E402
from opentelemetry import baggage, context, trace  # noqa: E402
from opentelemetry.instrumentation.utils import suppress_instrumentation  # noqa: E402

PROXY = os.environ["HTTP_PROXY"]
DIRECT = ("127.0.0.1", "localhost", "::1", None)
tracer = trace.get_tracer("app")


def direct(url):
    """Whether to go without the proxy, which every redirect needs that leads outside."""
    split = urllib.parse.urlsplit(url)
    return split.hostname in DIRECT and split.path != "/redirect"


def by_requests(urls, headers, base):
    with requests.Session() as session:
        for url in urls:
            answer = session.get(url, headers=headers, timeout=10)
            yield answer.status_code, dict(answer.request.headers), dict(session.headers)


def by_urllib3(urls, headers, base):
    retry = urllib3.Retry(3, status_forcelist=[503], backoff_factor=0)
    with urllib3.PoolManager(retries=retry) as pool, urllib3.ProxyManager(PROXY, retries=retry) as proxied:
        for url in urls:
            answer = (pool if direct(url) else proxied).request("GET", url, headers=headers)
            yield answer.status, {}, dict(pool.headers)


def by_urllib(urls, headers, base):
    for url in urls:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()
            yield answer.status, dict(request.headers) | dict(request.unredirected_hdrs), {}


def by_httpx(module):
    def ask(urls, headers, base):
        with module.Client(follow_redirects=True, base_url=base, verify=False) as client:
            for url in urls:
                with client.stream("GET", url, headers=headers) as answer:
                    answer.read()
                yield answer.status_code, dict(answer.request.headers), dict(client.headers)

    return ask


def by_async_httpx(module):
    async def ask(urls, headers, base):
        async with module.AsyncClient(follow_redirects=True, base_url=base, verify=False) as client:
            for url in urls:
                answer = await client.get(url, headers=headers)
                yield answer.status_code, dict(answer.request.headers), dict(client.headers)

    return ask


async def by_aiohttp(urls, headers, base):
    async with aiohttp.ClientSession(trust_env=True, base_url=base or None) as session:
        for url in urls:
            async with session.get(url, headers=headers) as answer:
                await answer.read()
                yield answer.status, {}, dict(session.headers)


CLIENTS = {
    "requests": by_requests,
    "urllib3": by_urllib3,
    "urllib": by_urllib,
    "httpx": by_httpx(httpx),
    "httpx2": by_httpx(httpx2),
}
ASYNC = {
    "httpx async": by_async_httpx(httpx),
    "httpx2 async": by_async_httpx(httpx2),
    "aiohttp": by_aiohttp,
}


async def collect(client, urls, headers, base):
    return [each async for each in ASYNC[client](urls, headers, base)]


def ask(client, urls, headers=None, tenant=None, base="", other=None, suppressed=False):
    """Ask for some URLs in one span; the same headers are passed again and again."""
    headers = dict(headers or {})
    carried = baggage.set_baggage("team", other) if other else context.get_current()
    token = context.attach(carried)
    try:
        with tracium.tenant(tenant), tracer.start_as_current_span("work") as span:
            trace_id = f"{span.get_span_context().trace_id:032x}"
            try:
                if suppressed:
                    with suppress_instrumentation():
                        kept = send(client, urls, headers, base)
                else:
                    kept = send(client, urls, headers, base)
            except Exception as error:
                return {"trace": trace_id, "error": type(error).__name__, "why": str(error), "headers": headers}
    finally:
        context.detach(token)
    return {"trace": trace_id, "answers": kept, "headers": headers}


def send(client, urls, headers, base):
    if client in ASYNC:
        return asyncio.run(collect(client, urls, headers, base))
    return list(CLIENTS[client](urls, headers, base))


def many(client, urls, count, tenants):
    """Ask for each tenant at once: in tasks, or in threads."""

    def headers(number):
        return {"x-number": str(number)}

    async def one(number):
        with tracium.tenant(f"t{number % tenants}"):
            await collect(client, urls, headers(number), "")

    async def tasks():
        await asyncio.gather(*(one(number) for number in range(count)))

    def in_thread(number):
        with tracium.tenant(f"t{number % tenants}"):
            send(client, urls, headers(number), "")

    if client in ASYNC:
        asyncio.run(tasks())
    else:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(in_thread, range(count)))
    return {}


def model(base, tenant):
    """Call a model."""
    import openai

    with tracium.tenant(tenant):
        client = openai.OpenAI(base_url=base, api_key="none")
        client.chat.completions.create(model="gpt-test", messages=[{"role": "user", "content": "Hi"}])
    return {}


def main():
    for line in sys.stdin:
        told = json.loads(line)
        sys.stdout.write(json.dumps(globals()[told.pop("do")](**told)) + "\n")
        sys.stdout.flush()


main()
