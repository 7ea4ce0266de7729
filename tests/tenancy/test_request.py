"""Which request a span belongs to, and that a request keeps nothing alive."""

from __future__ import annotations

import enum
import gc
import subprocess
import sys
import weakref

import pytest
from opentelemetry import baggage
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace import SpanKind, set_span_in_context, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from support.foreign import ForeignSpan

import tracium
from tracium.boundary.propagation import TenantPropagator
from tracium.tenancy.standing import binding_in

propagator = TenantPropagator(CompositePropagator([TraceContextTextMapPropagator()]))


@pytest.mark.parametrize("default", [None, "anonymous"])
@pytest.mark.parametrize("extracts", [True, False])
def test_a_chain_of_10000_spans_keeps_none_alive(make_pipeline, default, extracts):
    """Each begins under the one before, which has ended; no request needs to have begun."""
    pipeline = make_pipeline(default=default)
    context, spans = propagator.extract({}) if extracts else Context(), []
    for _ in range(10_000):
        span = pipeline.tracer.start_span("link", context=context)
        context = set_span_in_context(span, context)
        span.end()
        spans.append(weakref.ref(span))
    pipeline.clear()
    del span
    gc.collect()
    assert sum(ref() is not None for ref in spans) <= 2


def test_a_requests_binding_ends_with_the_last_who_can_ask_for_it(pipeline):
    """No register of requests grows."""
    token = attach(propagator.extract({}))
    with pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER):
        tracium.set_tenant("acme")
        binding = weakref.ref(binding_in(get_current()))
        assert binding() is not None
    detach(token)
    del token
    pipeline.clear()
    gc.collect()
    assert binding() is None


@pytest.mark.parametrize("bare", [True, False])
def test_a_span_that_is_passed_as_parent_takes_its_request_along(pipeline, bare):
    """`set_span_in_context(span)` in a thread, or in a worker that was born in another request."""
    with pipeline.tracer.start_as_current_span("birth", kind=SpanKind.SERVER):
        tracium.set_tenant("first customer")
        born = get_current()
    with pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER):
        tracium.set_tenant("acme")
        with pipeline.tracer.start_as_current_span("parent") as parent:
            context = set_span_in_context(parent, Context() if bare else born)
            pipeline.tracer.start_span("child", context=context).end()
    assert pipeline.tenants()["child"] == "acme"


def test_a_requests_own_attribute_binds_it(pipeline):
    """The tenant that the caller gave to the request's span is the request's."""
    with pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER, attributes={"tenant.id": "given"}):
        assert tracium.get_current_tenant() == "given"
        pipeline.tracer.start_span("below").end()
    assert pipeline.tenants() == {"below": "given", "request": "given"}


@pytest.mark.parametrize("given", ["", "a\nb", "x" * 256, 7])
def test_an_attribute_that_cannot_be_a_tenant_binds_nothing(pipeline, given):
    """It stays where the caller put it and goes no further."""
    with pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER, attributes={"tenant.id": given}):
        assert tracium.get_current_tenant() is None
        pipeline.tracer.start_span("below").end()
    assert pipeline.tenants()["below"] is None
    assert pipeline.span("request").attributes["tenant.id"] == given


def test_a_requests_own_attribute_beside_another_tenant_is_mixed(pipeline):
    """Set between extract and the span, and given to the span: the first binds, the span says that there are two."""
    token = attach(propagator.extract({}))
    tracium.set_tenant("first")
    with pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER, attributes={"tenant.id": "given"}):
        pass
    detach(token)
    assert pipeline.tenants() == {"request": "given"}
    assert pipeline.span("request").attributes["tracium.tenant.mixed"] is True


def test_another_vendors_request_span_is_marked_after_extract():
    """Its provider takes no processor, so it is known only as the current span of the request."""
    token = attach(propagator.extract({}))
    with use_span(ForeignSpan()) as span:
        tracium.set_tenant(None)
        tracium.set_tenant("acme")
        tracium.set_tenant("globex")
    detach(token)
    assert span.written == {"tenant.id": "acme"}


def test_another_vendors_span_above_the_request_is_not_marked():
    """A loop's long span, under which each message is a request."""
    with use_span(ForeignSpan()) as loop:
        for tenant in ("a", "b"):
            token = attach(propagator.extract({}))
            tracium.set_tenant(tenant)
            assert tracium.get_current_tenant() == tenant
            detach(token)
    assert loop.written == {}


def test_a_processor_never_raises_into_the_app(pipeline):
    """Whatever stands in a context or in baggage."""

    class Plan(str, enum.Enum):  # noqa: UP042 - the kind whose str() is not its value
        FREE = "free-tier"

    class Hostile:
        def __repr__(self):
            raise ValueError

        __str__ = __eq__ = __bool__ = __repr__
        __hash__ = None

    for number, value in enumerate([Plan.FREE, Hostile(), ["list"], None]):
        token = attach(baggage.set_baggage("tenant.id", value, Context()))
        expected = "free-tier" if value is Plan.FREE else None
        assert tracium.get_current_tenant() == expected
        pipeline.tracer.start_span(f"{number}").end()
        assert pipeline.tenants()[f"{number}"] == expected
        detach(token)
    with pytest.raises(TypeError, match="must be a string"):
        tracium.set_tenant(Hostile())


def test_a_disabled_sdk_answers_alike():
    """OTEL_SDK_DISABLED=true: set, get, clear, scopes and requests, after `init` and `trace`."""
    code = (
        "import os\nos.environ['OTEL_SDK_DISABLED'] = 'true'\nimport tracium\ntracium.trace()\n"
        "from opentelemetry import context, propagate\n"
        "for tenant in ('a', None, 'b'):\n"
        "    token = context.attach(propagate.extract({}))\n"
        "    assert tracium.get_current_tenant() is None\n"
        "    tracium.set_tenant(tenant)\n"
        "    assert tracium.get_current_tenant() == tenant\n"
        "    with tracium.tenant('scope'), tracium.start_trace('agent'):\n"
        "        assert tracium.get_current_tenant() == 'scope'\n"
        "    assert tracium.get_current_tenant() == tenant\n"
        "    if tenant != 'a':\n        context.detach(token)\n"
    )
    ran = subprocess.run([sys.executable, "-W", "error::RuntimeWarning", "-c", code], check=False, capture_output=True)
    assert ran.returncode == 0, ran.stderr.decode()


def test_what_is_set_after_the_requests_end_does_not_mark_the_span_above_it(pipeline):
    """A task that outlives a message under a loop's long span."""
    with pipeline.tracer.start_as_current_span("loop"):
        with pipeline.tracer.start_as_current_span("message", kind=SpanKind.CONSUMER):
            late = get_current()
        token = attach(late)
        tracium.set_tenant("acme")
        detach(token)
    assert pipeline.tenants() == {"message": None, "loop": None}
