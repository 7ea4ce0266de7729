"""What a tenant id may be, and that it arrives unchanged."""

from __future__ import annotations

import enum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import tracium
from tracium.signals import tenant_span_processor


@pytest.mark.parametrize("bad", [3, 3.5, b"acme", ["acme"], object(), True])
def test_what_is_no_string_is_a_type_error(bad):
    """At the call that passes it, with what is allowed."""
    for call in (tracium.set_tenant, tracium.tenant):
        with pytest.raises(TypeError, match=r"must be a string, not .* 1 to 255 characters"):
            call(bad)


@pytest.mark.parametrize(
    "bad",
    ["", "x" * 256, "a\nb", "a\x00", "\x7f", "a\x85b", "\x1b[31m", "\ud800", "ok\udfff"],
)
def test_a_string_that_cannot_be_a_tenant_is_a_value_error(bad):
    """Empty, too long, control characters and lone surrogates are refused, and nothing is set."""
    for call in (tracium.set_tenant, tracium.tenant):
        with pytest.raises(ValueError, match="1 to 255 characters") as refused:
            call(bad)
        assert isinstance(refused.value, tracium.TraciumError)
    assert tracium.get_current_tenant() is None


def test_a_string_of_another_class_becomes_a_plain_one():
    """What is stored is the string, not an enumeration's name."""

    class Plan(str, enum.Enum):  # noqa: UP042 - the kind whose str() is not its value
        FREE = "free-tier"

    tracium.set_tenant(Plan.FREE)
    assert type(tracium.get_current_tenant()) is str
    assert tracium.get_current_tenant() == "free-tier"


provider = TracerProvider(shutdown_on_exit=False)
memory = InMemorySpanExporter()
provider.add_span_processor(tenant_span_processor())
provider.add_span_processor(SimpleSpanProcessor(memory))

ALLOWED = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=255)
AWKWARD = st.text(st.sampled_from(" ,;=%+&\"'\\äé漢😀\u200d\u2028\u00a0:/"), min_size=1, max_size=255)


@given(ALLOWED | AWKWARD)
def test_every_other_string_arrives_unchanged_over_otlp(tenant):
    """Through baggage, span attribute, protobuf and back."""
    with tracium.tenant(tenant):
        assert tracium.get_current_tenant() == tenant
        provider.get_tracer("test").start_span("work").end()
    message = encode_spans(memory.get_finished_spans()).SerializeToString()
    memory.clear()
    span = type(encode_spans([])).FromString(message).resource_spans[0].scope_spans[0].spans[0]
    assert {pair.key: pair.value.string_value for pair in span.attributes}["tenant.id"] == tenant
