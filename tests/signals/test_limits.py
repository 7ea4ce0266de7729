"""The tenant survives the limits of the SDK, whole or not at all."""

from __future__ import annotations

import threading

import pytest
from opentelemetry.sdk.trace import SpanLimits

import tracium
from tracium import notices

MANY = {f"attribute.{number}": number for number in range(200)}
LONG = "a-tenant-of-many-characters"


@pytest.mark.parametrize("way", ["direct"], indirect=True)
@pytest.mark.parametrize("how", ["one by one", "in bulk", "at the start"])
def test_it_survives_200_attributes(pipeline, how):
    """The oldest attributes go, and the tenant, which is the oldest, does not."""
    with tracium.tenant("acme"):
        span = pipeline.tracer.start_span("work", attributes=MANY if how == "at the start" else None)
    if how == "in bulk":
        span.set_attributes(MANY)
    elif how == "one by one":
        for key, value in MANY.items():
            span.set_attribute(key, value)
    span.end()
    attributes = pipeline.span("work").attributes
    assert attributes["tenant.id"] == "acme"
    assert attributes["attribute.199"] == 199
    assert len(attributes) == 129


@pytest.mark.parametrize("way", ["direct"], indirect=True)
def test_a_tenant_that_the_caller_writes_later_survives_too(pipeline):
    """What the caller says last is what holds."""
    with tracium.tenant("acme"):
        span = pipeline.tracer.start_span("work")
    span.set_attribute("tenant.id", "globex")
    span.set_attributes(MANY)
    span.end()
    assert pipeline.tenants() == {"work": "globex"}


@pytest.mark.parametrize("way", ["public"], indirect=True)
def test_the_public_way_says_that_it_may_lose_it(pipeline, monkeypatch):
    """No silent hole."""
    from opentelemetry.attributes import BoundedAttributes

    # as in a process whose SDK could not be made to keep the tenant
    monkeypatch.setattr(BoundedAttributes, "_setitem_locked", BoundedAttributes._setitem_locked.__wrapped__)
    with tracium.tenant("acme"):
        span = pipeline.tracer.start_span("work")
    span.set_attributes(MANY)
    span.end()
    assert pipeline.tenants() == {"work": None}
    assert [notice.key for notice in notices.notices()] == ["tenant:dropped"]


@pytest.mark.parametrize("marked", ["at the start", "while open"])
def test_it_is_never_cut(make_pipeline, way, marked):
    """A part of a tenant id is another tenant: directly it goes out whole, publicly not at all."""
    pipeline = make_pipeline(span_limits=SpanLimits(max_span_attribute_length=8))
    for tenant in ("acme", LONG, "globex"):
        if marked == "at the start":
            with tracium.tenant(tenant):
                pipeline.tracer.start_span(tenant).end()
        else:
            with pipeline.tracer.start_as_current_span(tenant):
                tracium.set_tenant(tenant)
            tracium.set_tenant(None)
    # A span that is open already is marked in the way that the process has found to work.
    whole = way == "direct" or marked == "while open"
    assert pipeline.tenants() == {"acme": "acme", LONG: LONG if whole else None, "globex": "globex"}
    assert [notice.key for notice in notices.notices()] == ([] if whole else ["tenant:cut"])


@pytest.mark.parametrize("way", ["direct"], indirect=True)
def test_a_given_tenant_that_may_have_been_cut_is_not_believed(make_pipeline):
    """The context knows the whole of it, or nobody does."""
    pipeline = make_pipeline(span_limits=SpanLimits(max_span_attribute_length=8))
    given = {"tenant.id": LONG}
    with tracium.tenant(LONG):
        pipeline.tracer.start_span("known", attributes=given).end()
    pipeline.tracer.start_span("unknown", attributes=given).end()
    pipeline.tracer.start_span("short", attributes={"tenant.id": "acme"}).end()
    assert pipeline.tenants() == {"known": LONG, "unknown": None, "short": "acme"}


def test_the_environments_limit_holds_too(make_pipeline, way, monkeypatch):
    """OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT=8."""
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "8")
    pipeline = make_pipeline()
    with tracium.tenant(LONG):
        pipeline.tracer.start_span("work", attributes={"other": LONG}).end()
    assert pipeline.tenants() == {"work": LONG if way == "direct" else None}
    assert pipeline.span("work").attributes["other"] == LONG[:8]


def test_marking_does_not_disturb_an_app_that_writes_at_the_same_time(make_pipeline):
    """Both take the SDK's locks."""
    pipeline = make_pipeline(span_limits=SpanLimits(max_span_attributes=16))
    with pipeline.tracer.start_as_current_span("work") as span:
        stop, errors = threading.Event(), []

        def write():
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    span.set_attribute(f"key.{number % 64}", number)
                except Exception as error:
                    errors.append(error)

        writer = threading.Thread(target=write)
        writer.start()
        for number in range(300):
            tracium.set_tenant(f"t{number}")
        stop.set()
        writer.join()
    assert errors == []


def test_an_sdk_that_is_built_otherwise_is_marked_the_public_way(monkeypatch, way):
    """What is private may be gone in the next release; that it is, is said."""
    from opentelemetry.attributes import BoundedAttributes

    from tracium.signals import TenantSpanProcessor, tenant_span_processor
    from tracium.tenancy import marking

    monkeypatch.setattr(marking, "_direct", None)
    monkeypatch.delattr(BoundedAttributes, "_setitem_locked")
    monkeypatch.setattr(BoundedAttributes, "__setitem__", lambda self, key, value: self._dict.__setitem__(key, value))
    assert type(tenant_span_processor()) is TenantSpanProcessor
    assert [notice.key for notice in notices.notices()] == ["tenant:public-marking"]
