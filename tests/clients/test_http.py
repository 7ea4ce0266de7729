"""All HTTP clients: the tenant arrives at hosts inside, proven, and at no others; real clients, servers and a proxy."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from opentelemetry.context import Context
from support.app import free_port
from support.recorder import recorder
from support.sending import KEY, LISTED, running

from tracium.boundary.propagation import TenantPropagator, configured
from tracium.boundary.signature import Keyring
from tracium.boundary.trust import Trust, install_trust, trust
from tracium.tenancy.standing import current_tenant

CLIENTS = ["requests", "urllib3", "urllib", "httpx", "httpx2", "httpx async", "httpx2 async", "aiohttp"]
DISABLED = "requests,urllib3,urllib,httpx,httpx2,aiohttp-client"
VARIANTS = {
    "as usual": {},
    "unsampled": {"OTEL_TRACES_SAMPLER": "always_off"},
    "instrumented by hand before": {"BY_HAND": "before"},
    "disabled": {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": DISABLED},
}
INSIDE = [
    "http://orders/",
    "http://ORDERS.internal/",
    "http://orders.internal./",
    "http://orders.internal:8080/a?b=http://evil.example/",
    "http://10.1.2.3/",
    "http://[fd00::1]:8080/",
    f"http://{LISTED}/",
]
OUTSIDE = [
    "http://api.model-vendor.example/",
    "http://api.openai.com/v1/models",
    "http://127.0.0.1.evil.example/",
    "http://evil.example:80/orders.internal?a=http://127.0.0.1/",
    "http://bücher.example/",
    "http://xn--bcher-kva.example/",
    f"http://{LISTED}.evil.example/",
    "http://8.8.8.8/",
    "http://2130706433/",
    "http://169.254.169.254/latest/meta-data",
    "http://[2001:db8::1]/",
    "http://[::ffff:8.8.8.8]/",
]
# What an app forwards that copies its own request's headers.
FORWARDED = {"baggage": "tenant.id=evil,team=blue", "X-Other": "stays"}


@pytest.fixture(scope="module")
def usual():
    with running() as app:
        yield app


@pytest.fixture
def app(usual):
    """An app that runs as most do."""
    usual.inside.take()
    usual.proxy.take()
    return usual


@pytest.fixture
def arriving():
    """What a second service with the same key makes of a request: the tenant."""
    before = trust()
    install_trust(Trust(Keyring((KEY.encode(),))))
    yield lambda sent: current_tenant(TenantPropagator(configured()).extract(sent.carrier, Context()))
    install_trust(before)


def has_tenant(sent):
    return any(
        "tenant" in value or "acme" in value or "evil" in value for name, value in sent.headers if name != "host"
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_client_sends_the_tenant_outside(variant, arriving):
    """Nor what an app forwards; other baggage and the trace go along, and inside the tenant does, with a proof."""
    with running(**VARIANTS[variant]) as app:
        for client in CLIENTS:
            # urllib does not encode names.
            outside = [url for url in OUTSIDE if client != "urllib" or url.isascii()]
            for headers in ({}, FORWARDED):
                told = app.ask(client, *INSIDE, app.inside.url(), *outside, headers=headers, tenant="acme", other="red")
                assert "why" not in told, (client, told)
                assert [answer[0] for answer in told["answers"]] == [200] * (len(INSIDE) + 1 + len(outside)), client
                assert told["headers"] == headers
                assert not any("acme" in str(kept) for kept in told["answers"]), client
                sent = app.proxy.take()
                for each in sent[len(INSIDE) :]:
                    assert not has_tenant(each), (client, each)
                    if headers or variant != "disabled":
                        assert "team=" in each.baggage, (client, each)
                for each in [*sent[: len(INSIDE)], *app.inside.take()]:
                    assert each.baggage.count("tenant.id=acme") == 1, (client, each)
                    assert "evil" not in each.baggage
                    assert len(each.all("baggage")) == 1
                    if variant != "disabled":
                        assert each.trace_id == told["trace"]
                        assert arriving(each) == "acme", (client, each)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_trace_that_arrives_is_the_clients(client, app):
    """The signature is for the trace of the client's span, whose child the service's will be."""
    before = len(app.receiver.spans)
    app.ask(client, app.inside.url(), tenant="acme")
    (sent,) = app.inside.take()
    app.receiver.wait_for(before + 2)
    (span,) = [span for span in app.receiver.spans[before:] if span.kind == 3]
    assert [value.rpartition("-")[0] for value in sent.all("traceparent")] == [f"00-{span.trace_id}-{span.span_id}"]
    assert span.tenant == "acme"


@pytest.mark.parametrize("client", CLIENTS)
def test_redirects_are_judged_anew(client, app, arriving):
    """From inside to outside it is gone, from outside to inside it is there, and within it stays."""
    outside = "http://api.model-vendor.example/end"
    inside = app.inside.url("/end", "localhost")
    away = app.inside.url(f"/redirect?to={quote(outside)}")
    back = f"http://api.model-vendor.example/redirect?to={quote(inside)}"
    within = app.inside.url(f"/redirect?to={quote(inside)}")
    for url, expected in ((away, ["acme", None]), (back, [None, "acme"]), (within, ["acme", "acme"])):
        told = app.ask(client, url, tenant="acme", headers=FORWARDED)
        assert [answer[0] for answer in told.get("answers", [told])] == [200]
        sent = app.sent()
        assert [arriving(each) for each in sent] == expected
        assert [has_tenant(each) for each in sent] == [tenant is not None for tenant in expected]
        assert all("team=blue" in each.baggage for each in sent)


@pytest.mark.parametrize("client", CLIENTS)
def test_nothing_is_sent_where_nothing_may(client, app):
    """Without a tenant, and where instrumentation is suppressed; what an app forwards is taken out there too."""
    for told in ({"tenant": None}, {"tenant": "acme", "suppressed": True}):
        for headers in ({}, FORWARDED):
            app.ask(client, app.inside.url(), INSIDE[0], OUTSIDE[0], headers=headers, **told)
            sent = [*app.inside.take(), *app.proxy.take()]
            assert len(sent) == 3
            assert not any(map(has_tenant, sent))
            assert all(each.baggage == ("team=blue" if headers else "") for each in sent)


@pytest.mark.parametrize("client", CLIENTS)
def test_many_tenants_at_once(client, app, arriving):
    """In tasks or in threads, on shared loops and connections: each request has its own tenant's."""
    app.tell(do="many", client=client, urls=[app.inside.url(), OUTSIDE[0]], count=20, tenants=7)
    inside, outside = app.inside.take(), app.proxy.take()
    assert (len(inside), len(outside)) == (20, 20)
    assert [arriving(sent) for sent in inside] == [f"t{int(sent.all('x-number')[0]) % 7}" for sent in inside]
    assert not any(map(has_tenant, outside))


@pytest.mark.parametrize(
    ("client", "refused", "dropped"),
    [
        ("requests", "ConnectionError", "ConnectionError"),
        ("urllib3", "MaxRetryError", "MaxRetryError"),
        ("urllib", "URLError", "RemoteDisconnected"),
        ("httpx", "ConnectError", "RemoteProtocolError"),
        ("httpx2", "ConnectError", "RemoteProtocolError"),
        ("httpx async", "ConnectError", "RemoteProtocolError"),
        ("httpx2 async", "ConnectError", "RemoteProtocolError"),
        ("aiohttp", "ClientConnectorError", "ServerDisconnectedError"),
    ],
)
def test_errors_are_the_clients_own(client, refused, dropped, app):
    """As without tracium; also those of a URL that is none."""
    assert app.ask(client, f"http://127.0.0.1:{free_port()}/", tenant="acme")["error"] == refused
    assert app.ask(client, app.inside.url("/drop"), tenant="acme")["error"] == dropped
    assert "error" in app.ask(client, "nonsense:", tenant="acme")


def test_retries_are_signed_too(app, arriving):
    """urllib3's own, of one request."""
    assert app.ask("urllib3", app.inside.url("/flaky"), tenant="acme")["answers"][0][0] == 200
    sent = app.inside.take()
    assert [arriving(each) for each in sent] == ["acme", "acme"]


@pytest.mark.parametrize("client", ["httpx", "httpx2", "httpx async", "httpx2 async", "aiohttp"])
def test_an_absolute_url_is_not_at_the_base(client, app, arriving):
    """A client with a base inside may be given the URL of somebody else."""
    app.ask(client, "/path", OUTSIDE[0], tenant="acme", base=app.inside.url())
    (inside,), (outside,) = app.inside.take(), app.proxy.take()
    assert (arriving(inside), has_tenant(outside)) == ("acme", False)


@pytest.mark.parametrize("client", CLIENTS)
def test_addresses_of_the_sixth_version(client, app, arriving):
    """Loopback has one."""
    try:
        server = recorder("::1")
        with server as six:
            app.ask(client, six.url(host="[::1]"), tenant="acme")
            # urllib asks the proxy: it does not find the address in NO_PROXY.
            assert [arriving(sent) for sent in six.take() or app.proxy.take()] == ["acme"]
    except OSError:
        pytest.skip("no IPv6 here")


@pytest.mark.parametrize("client", [client for client in CLIENTS if client not in {"urllib", "aiohttp"}])
def test_credentials_in_a_url_are_no_host(client, app, arriving):
    """Whatever they look like."""
    outside = "http://orders.internal:x@evil.example/"
    app.ask(client, f"http://evil.example:x@127.0.0.1:{app.inside.port}/", outside, tenant="acme")
    assert [arriving(sent) for sent in app.inside.take()] == ["acme"]
    assert [has_tenant(sent) for sent in app.proxy.take()] == [False]


def test_a_model_vendor_is_outside_wherever_it_is(app):
    """What stands on loopback may pass everything on."""
    app.tell(do="model", base=app.inside.url("/v1"), tenant="acme")
    (sent,) = app.inside.take()
    assert not has_tenant(sent)
    assert sent.all("traceparent")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"X-Stainless-Lang": "python"},
        {"anthropic-version": "2023-06-01"},
        {"x-goog-api-client": "google-genai-sdk/2.0"},
        {"X-Fern-SDK-Name": "cohere"},
        {"User-Agent": "mistral-client-python/3.0.0"},
    ],
)
def test_a_model_vendor_is_known_by_its_headers(client, headers, app):
    """Each client library sends one."""
    app.ask(client, app.inside.url(), headers=headers, tenant="acme")
    assert [has_tenant(sent) for sent in app.inside.take()] == [False]
