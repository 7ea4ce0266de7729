"""requests: adapters of other kinds, and instrumentation that comes and goes."""

from __future__ import annotations

import pytest
from support.app import environment, run_app
from support.recorder import recorder


def test_adapters_of_other_kinds_get_nothing():
    """And what an app forwards does not leave by them, also after a redirect."""
    ended = run_app(
        """
        import tracium
        tracium.trace()
        import requests

        class Raw:
            def close(self):
                pass

        class Adapter(requests.adapters.BaseAdapter):
            def send(self, request, **options):
                seen.append(request.headers.get("baggage"))
                answer = requests.Response()
                answer.request, answer.url, answer.status_code = request, request.url, 200
                if request.url == "http://inside/":
                    answer.status_code, answer.headers["location"] = 302, "http://evil.example/"
                answer.raw, answer._content, answer._content_consumed = Raw(), b"", True
                return answer

            def close(self):
                pass

        seen = []
        session = requests.Session()
        session.mount("http://", Adapter())
        with tracium.tenant("acme"):
            session.get("http://localhost/")
            session.get("http://inside/", headers={"baggage": "tenant.id=evil,team=blue"})
        print(seen)
        """,
        environment(OTEL_TRACES_EXPORTER="none"),
    )
    assert ended.stdout.strip() == "[None, 'tenant.id=evil,team=blue', 'team=blue']"


@pytest.mark.parametrize("before", [True, False])
def test_what_an_app_instruments_it_can_take_off(before):
    """Before `trace()` or after it; the tenant goes on to hosts inside, and other instrumentations are left alone."""
    with recorder() as server:
        ended = run_app(
            f"""
            import requests, tracium
            from opentelemetry import trace
            from opentelemetry.instrumentation.requests import RequestsInstrumentor
            if {before}:
                RequestsInstrumentor().instrument()
            tracium.trace()
            for _ in range(2):
                with tracium.tenant("acme"):
                    requests.get({server.url()!r})
                    RequestsInstrumentor().uninstrument()
            print(hasattr(requests.Session.send, "opentelemetry_instrumentation_requests_applied"))
            """,
            environment(OTEL_TRACES_EXPORTER="none"),
        )
        first, second = server.take()
    assert ended.stdout.strip() == "False"
    assert (first.baggage, second.baggage) == ("tenant.id=acme", "tenant.id=acme")
    assert first.all("traceparent")
