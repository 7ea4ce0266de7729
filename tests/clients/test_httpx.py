"""httpx and httpx2: what is not sent by their own transports, and how they are instrumented."""

from __future__ import annotations

import pytest
from support.app import environment, run_app
from support.recorder import recorder


@pytest.mark.parametrize("client", ["httpx", "httpx2"])
def test_a_unix_socket_is_no_host(client, tmp_path):
    """Whatever the URL says; what an app forwards is taken out."""
    path = str(tmp_path / "socket")
    with recorder(path) as server:
        run_app(
            f"""
            import asyncio, tracium
            tracium.trace()
            import {client} as client

            async def main():
                transport = client.AsyncHTTPTransport(uds={path!r})
                async with client.AsyncClient(transport=transport) as asynchronous:
                    await asynchronous.get("http://localhost/", headers={{"baggage": "tenant.id=evil,team=blue"}})

            with tracium.tenant("acme"):
                client.Client(transport=client.HTTPTransport(uds={path!r})).get("http://localhost/")
                asyncio.run(main())
            """,
            environment(OTEL_TRACES_EXPORTER="none"),
        )
        assert [sent.baggage for sent in server.take()] == ["", "team=blue"]
        assert server.take() == []


def test_transports_of_other_kinds_get_nothing():
    """And what an app forwards does not leave by them; a test client keeps what the test says."""
    ended = run_app(
        """
        import tracium
        tracium.trace()
        import httpx

        class Transport(httpx.BaseTransport):
            def handle_request(self, request):
                seen.append(request.headers.get("baggage"))
                return httpx.Response(200)

        seen = []
        forwarded = {"baggage": "tenant.id=evil,team=blue"}
        client = httpx.Client(transport=Transport())
        with tracium.tenant("acme"):
            client.get("http://localhost/")
            client.get("http://evil.example/")
            client.get("http://evil.example/", headers=forwarded)
            client.get("http://testserver/", headers=forwarded)
        print(seen)
        """,
        environment(OTEL_TRACES_EXPORTER="none"),
    )
    assert ended.stdout.strip() == "[None, None, 'team=blue', 'tenant.id=evil,team=blue']"


@pytest.mark.parametrize(
    ("first", "disabled", "instrumented"),
    [
        ("httpx2", "", "True True"),
        ("httpx", "", "True True"),
        ("httpx2", "httpx", "False True"),
        ("httpx2", "httpx2", "True False"),
        ("opentelemetry.instrumentation.httpx", "", "True True"),
    ],
)
def test_each_is_instrumented_by_itself(first, disabled, instrumented):
    """One module has both instrumentors, and imports both clients before it has them."""
    ended = run_app(
        f"""
        import tracium
        tracium.trace()
        import {first}
        import httpx, httpx2
        from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor, HTTPXClientInstrumentor
        for module in (httpx, httpx2):
            try:
                module.Client(verify=False, trust_env=False).get("http://127.0.0.1:1/")
            except module.ConnectError:
                pass
        kinds = HTTPXClientInstrumentor, HTTPX2ClientInstrumentor
        print(*(kind().is_instrumented_by_opentelemetry for kind in kinds))
        """,
        environment(OTEL_TRACES_EXPORTER="none", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=disabled),
    )
    assert (ended.stdout.strip(), ended.stderr) == (instrumented, "")
