"""With authentication switched on, who has no token sends nothing, and a tenant is what its token says."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from support.collector import Collecting, branches, run_app, with_authentication
from support.issuer import issuer
from support.otlp_requests import request, span
from support.otlp_signals import log_request, metric, metric_request, record
from support.waiting import eventually

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def provider():
    with issuer() as made:
        yield made


@pytest.fixture(scope="module")
def collector(tmp_path_factory, provider, places):
    directory = tmp_path_factory.mktemp("edge")
    config = directory / "config.yaml"
    # The destination of the tenants in the list shows all signals.
    config.write_text(with_authentication().replace("exporters: [clickhouse]", "exporters: [nop]"))
    tokens = directory / "tokens"
    tokens.write_text("token-of-a-service\n")
    variables = branches(places) | {"TENANTS_ISSUER": provider.url, "SERVICES_TOKENS": str(tokens)}
    with Collecting(directory, config=config, **variables) as started:
        yield started


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(("signal", "message"), [("traces", request(span("umbrella"))), ("logs", log_request(record("umbrella"))),
                         ("metrics", metric_request(metric("m", "gauge", tenant="umbrella", as_int=1)))])  # fmt: skip
def test_without_a_token_nobody_is_let_in(collector, places, provider, signal, message):
    """No token, a wrong one, one of the other listener, of another key, audience or time: 401, and nothing arrives."""
    before = len(places["eu"].requests)
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert collector.send(collector.services, message, signal) == 401
    for token in ("wrong", "", provider.token(tenant="umbrella")):
        assert collector.send(collector.services, message, signal, **bearer(token)) == 401
    assert collector.send(collector.tenants, message, signal, x_tenant_id="umbrella") == 401
    for token in (
        "token-of-a-service",
        provider.token(tenant="umbrella", key=foreign),
        provider.token(tenant="umbrella", aud="elsewhere"),
        provider.token(tenant="umbrella", exp=1),
        provider.token(tenant="umbrella", iss="https://elsewhere.example"),
    ):
        assert collector.send(collector.tenants, message, signal, **bearer(token)) == 401
    assert len(places["eu"].requests) == before


def test_the_tenant_is_the_tokens(collector, places, provider):
    """Neither the header nor the span nor its resource outweighs the claim, on any signal."""
    spoofing = {**bearer(provider.token(tenant="umbrella")), "x-tenant-id": "initech"}
    spans = request(span("initech", name="claimed"))
    spans.resource_spans[0].resource.attributes.add(key="tenant.id").value.string_value = "initech"
    assert collector.send(collector.tenants, spans, **spoofing) == 200
    assert collector.send(collector.tenants, log_request(record("initech", body="claimed")), "logs", **spoofing) == 200
    points = metric_request(metric("claimed", "gauge", tenant="initech", as_int=1))
    assert collector.send(collector.tenants, points, "metrics", **spoofing) == 200
    eu = places["eu"]
    eventually(lambda: [one.tenant for one in eu.named("claimed")], ["umbrella"])
    eventually(lambda: [one.tenant for one in eu.logged("claimed")], ["umbrella"])
    eventually(lambda: [one.tenant for one in eu.points_of("claimed")], ["umbrella"])
    assert "tenant.id" not in eu.named("claimed")[0].resource


def test_a_spoofed_header_reaches_no_other_tenants_tempo(collector, places, provider):
    """What came in under a header that the token does not bear out goes under nobody's X-Scope-OrgID."""
    token = bearer(provider.token(tenant="acme"))
    spoofed = request(span(name="header spoofed"))
    assert collector.send(collector.tenants, spoofed, **{**token, "x-tenant-id": "globex"}) == 200
    assert (
        collector.send(collector.tenants, request(span(name="header true")), **{**token, "x-tenant-id": "acme"}) == 200
    )
    tempo = places["tempo"]
    eventually(lambda: [one.tenant for one in tempo.named("header true")], ["acme"])
    assert tempo.named("header spoofed") == []
    assert "globex" not in {headers.get("x-scope-orgid") for headers in tempo.headers}


@pytest.mark.parametrize("claims", [{}, {"tenant": ""}, {"tenant": ["umbrella"]}, {"tenant": 7}, {"tenant": None}])
def test_a_token_without_a_tenant_is_nobodys(collector, places, provider, claims):
    """A claim that is missing, empty or no text gives no tenant, whatever the header says."""
    token = {**bearer(provider.token(**claims)), "x-tenant-id": "umbrella"}
    assert collector.send(collector.tenants, request(span("umbrella", name=f"nobody's {claims}")), **token) == 200
    mark = f"somebody's {claims}"
    assert (
        collector.send(collector.tenants, request(span(name=mark)), **bearer(provider.token(tenant="umbrella"))) == 200
    )
    eventually(lambda: len(places["eu"].named(mark)), 1)
    assert places["eu"].named(f"nobody's {claims}") == []


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_tracium_is_let_in_with_its_key(collector, places, provider, protocol):
    """TRACIUM_API_KEY is the token of a service, or the signed one of a tenant; a wrong one is said."""
    grpc = protocol == "grpc"
    services, tenants = (
        (collector.services_grpc, collector.tenants_grpc) if grpc else (collector.services, collector.tenants)
    )
    app = f"""
import tracium
from opentelemetry import trace
tracium.init()
with tracium.tenant("initech"), trace.get_tracer("app").start_as_current_span("keyed over {protocol}"):
    pass
tracium.shutdown()
"""
    run_app(services, protocol, app, TRACIUM_API_KEY="token-of-a-service")
    run_app(tenants, protocol, app, TRACIUM_API_KEY=provider.token(tenant="umbrella"))
    eu = places["eu"]
    eventually(lambda: sorted(one.tenant for one in eu.named(f"keyed over {protocol}")), ["initech", "umbrella"])
    assert "key" in run_app(services, protocol, app, TRACIUM_API_KEY="wrong")
