"""What of an OTLP request a tenant's token may write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.otlp_requests import fill, request, span

from tracium.server.access.restrict import Rejection, restrict
from tracium.server.scope import TenantScope

ACME = TenantScope.of("acme")

# What an attribute may be; only text is a tenant's name.
VALUES = st.sampled_from(
    ["acme", "org_1:a", "beta", "acme2", "ACME", "acme ", "", 1, True, 1.5, b"acme", None, ["acme"]]
)
ATTRIBUTES = st.lists(st.tuples(st.sampled_from(["tenant.id", "user.id", "Tenant.Id"]), VALUES), max_size=3)
SCOPES = st.sampled_from(
    [ACME, TenantScope.of("acme", "beta"), TenantScope.of("org_1:*"), TenantScope.of("acme", "org_1:*")]
)
KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


def put(attributes, pairs):
    for key, value in pairs:
        fill(attributes.add(key=key).value, value)


@st.composite
def traces(draw):
    message = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        outer = message.resource_spans.add()
        put(outer.resource.attributes, draw(ATTRIBUTES))
        for _ in range(draw(st.integers(0, 2))):
            inner = outer.scope_spans.add()
            put(inner.scope.attributes, draw(ATTRIBUTES))
            for _ in range(draw(st.integers(0, 3))):
                one = inner.spans.add(name=draw(st.sampled_from("abc")))
                put(one.attributes, draw(ATTRIBUTES))
                put(one.events.add().attributes, draw(ATTRIBUTES))
                put(one.links.add().attributes, draw(ATTRIBUTES))
    return message


@st.composite
def logs(draw):
    message = ExportLogsServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        outer = message.resource_logs.add()
        put(outer.resource.attributes, draw(ATTRIBUTES))
        inner = outer.scope_logs.add()
        put(inner.scope.attributes, draw(ATTRIBUTES))
        for _ in range(draw(st.integers(0, 3))):
            put(inner.log_records.add().attributes, draw(ATTRIBUTES))
    return message


@st.composite
def metrics(draw):
    message = ExportMetricsServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        outer = message.resource_metrics.add()
        put(outer.resource.attributes, draw(ATTRIBUTES))
        inner = outer.scope_metrics.add()
        put(inner.scope.attributes, draw(ATTRIBUTES))
        for kind in draw(st.lists(st.sampled_from(KINDS), max_size=3)):
            metric = inner.metrics.add(name=kind)
            put(metric.metadata, draw(ATTRIBUTES))
            point = getattr(metric, kind).data_points.add()
            put(point.attributes, draw(ATTRIBUTES))
            if kind != "summary":
                put(point.exemplars.add().filtered_attributes, draw(ATTRIBUTES))
    return message


def items(message):  # noqa: PLR0912 - three signals
    """Each span, record or point with every list of attributes that says something of it."""
    match message:
        case ExportTraceServiceRequest():
            for outer in message.resource_spans:
                for inner in outer.scope_spans:
                    for one in inner.spans:
                        below = [part.attributes for part in (*one.events, *one.links)]
                        yield one, [outer.resource.attributes, inner.scope.attributes, one.attributes, *below]
        case ExportLogsServiceRequest():
            for outer in message.resource_logs:
                for inner in outer.scope_logs:
                    for one in inner.log_records:
                        yield one, [outer.resource.attributes, inner.scope.attributes, one.attributes]
        case ExportMetricsServiceRequest():
            for outer in message.resource_metrics:
                for inner in outer.scope_metrics:
                    for metric in inner.metrics:
                        for one in getattr(metric, metric.name).data_points:
                            below = [part.filtered_attributes for part in getattr(one, "exemplars", ())]
                            around = [outer.resource.attributes, inner.scope.attributes, metric.metadata]
                            yield one, [*around, one.attributes, *below]


def named(lists):
    """The values of every `tenant.id`, as protobuf says them."""
    return [attribute.value for attributes in lists for attribute in attributes if attribute.key == "tenant.id"]


def ours(values, scope):
    return all(value.HasField("string_value") and scope.allows(value.string_value) for value in values)


@given(st.one_of(traces(), logs(), metrics()), SCOPES)
def test_nothing_of_another_tenant_passes(message, scope):
    """What is left names the token's tenants only, all of it is left, in its order, and the rest is counted."""
    before = type(message)()
    before.CopyFrom(message)
    expected = [one for one, lists in items(before) if ours(named(lists), scope)]
    rejection = restrict(message, scope)
    left = list(items(message))
    assert all(ours(named(lists), scope) for _, lists in left)
    assert len(left) == len(expected)
    assert rejection.count == len(list(items(before))) - len(left)
    assert bool(rejection.reason) is bool(rejection.count)
    for (one, _), was in zip(left, expected, strict=True):
        own = named([one.attributes])
        if scope is ACME:
            assert own
            assert {value.string_value for value in own} == {"acme"}
        if one != was:
            assert (scope, named([was.attributes])) == (ACME, [])
            del one.attributes[-1]
            assert one == was
    again = restrict(message, scope)
    assert again == Rejection(0, "")


@given(st.one_of(traces(), logs(), metrics()))
def test_a_token_that_is_bound_to_no_tenant_changes_nothing(message):
    """Everything passes as it came."""
    before = message.SerializeToString()
    assert restrict(message, TenantScope.all()) == Rejection(0, "")
    assert message.SerializeToString() == before


def test_a_key_that_stands_there_twice():
    """Whichever of two values a store would take, one of another tenant is enough."""
    one = span("acme")
    fill(one.attributes.add(key="tenant.id").value, "beta")
    message = request(one, span("acme"), span())
    rejection = restrict(message, ACME)
    assert rejection.count == 1
    assert "1 of the items carry a tenant.id that is none of the token's" in rejection.reason
    assert "beta" not in rejection.reason


@pytest.mark.parametrize("scope", [TenantScope.of("acme", "beta"), TenantScope.of("acme:*")])
def test_which_of_several_tenants_is_not_guessed(scope):
    """Without a name and with several to choose from, a span stays nobody's."""
    message = request(span())
    assert restrict(message, scope).count == 0
    ((_, lists),) = items(message)
    assert named(lists) == []


def test_what_this_release_does_not_know_does_not_pass():
    """A field of another release could hold what the checks do not see."""
    message = request(span("acme"))
    unknown = ExportTraceServiceRequest.FromString(message.SerializeToString() + b"\x82\x7d\x04beta")
    assert b"beta" in unknown.SerializeToString()
    restrict(unknown, ACME)
    assert b"beta" not in unknown.SerializeToString()
