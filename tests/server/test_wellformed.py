"""Requests that can be stored as they are, told from those of which something has to be changed."""

from __future__ import annotations

import os

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.otlp_requests import fill, request, span

from tracium.server.access.principal import Principal
from tracium.server.otlp import read_traces
from tracium.server.parsing import PROTOBUF
from tracium.server.wellformed import rewritten

PLAIN = ["text", "", 7, 0, 1.5, True, False, b"bytes", b"", None]


def full(value):
    """A request with a value wherever an array may stay."""
    message = request(span("acme", attributes={"key": value}), span("acme", parent=os.urandom(8)))
    fill(message.resource_spans[0].resource.attributes.add(key="key").value, value)
    return message


@pytest.mark.parametrize("value", [*PLAIN, PLAIN, ["one"]])
def test_what_is_stored_as_it_is(value):
    """Plain values, and arrays of them that have one, are written as protobuf writes them, and counted."""
    message = full(value)
    assert rewritten(message.SerializeToString()) == (message.SerializeToString(), 2)


@pytest.mark.parametrize("value", [[], {}, {"a": 1}, [[1]], [[]], [{}], [{"a": 1}], ["one", []], {"a": [1]}])
@pytest.mark.parametrize("place", ["resource", "span", "event", "link"])
def test_a_value_that_the_reader_does_not_take(value, place):
    """It is found at any depth and in every place."""
    message = full("plain")
    resource_spans = message.resource_spans[0]
    last = resource_spans.scope_spans[0].spans[-1]
    owner = {"resource": resource_spans.resource, "span": last}.get(place)
    owner = owner or (last.events if place == "event" else last.links).add()
    fill(owner.attributes.add(key="key").value, value)
    assert rewritten(message.SerializeToString()) is None


@pytest.mark.parametrize("place", ["events", "links"])
def test_an_array_of_an_event_or_a_link(place):
    """It is changed before it is stored, other than that of a span."""
    message = full("plain")
    owner = getattr(message.resource_spans[0].scope_spans[0].spans[0], place).add()
    fill(owner.attributes.add(key="key").value, ["one"])
    assert rewritten(message.SerializeToString()) is None


@pytest.mark.parametrize(
    "ids",
    [
        {"trace_id": bytes(16)},
        {"trace_id": b"1"},
        {"span_id": bytes(8)},
        {"span_id": bytes(16)},
        {"parent_span_id": b"1"},
        {"parent_span_id": bytes(16)},
    ],
)
def test_ids_that_are_none(ids):
    """One span with such an id is enough to look at the request more closely."""
    message = full("plain")
    last = message.resource_spans[0].scope_spans[0].spans[-1]
    for name, value in ids.items():
        setattr(last, name, value)
    assert rewritten(message.SerializeToString()) is None


def test_a_parent_of_zeros():
    """It is no parent, and a valid one."""
    message = full("plain")
    message.resource_spans[0].scope_spans[0].spans[-1].parent_span_id = bytes(8)
    assert rewritten(message.SerializeToString())[1] == 2


def test_forms_that_only_protobuf_reads():
    """A message in two halves and two values of one attribute become one each."""
    message = full("plain")
    twice = message.SerializeToString() + message.SerializeToString()
    assert rewritten(twice) == (ExportTraceServiceRequest.FromString(twice).SerializeToString(), 4)


@pytest.mark.parametrize("body", [b"x", b"\xc2\x3e\x10" + bytes(16), b"\x0a\x7f"])
def test_bytes_that_are_no_request(body):
    """What cannot be read and the store's own field from outside are looked at more closely."""
    assert rewritten(full("plain").SerializeToString() + body) is None


def test_no_bytes():
    """An empty request has no spans."""
    assert rewritten(b"") == (b"", 0)


def test_good_spans_between_others():
    """What is left out takes nothing with it: the others keep their order, and the first reason is said."""
    spans = [span("acme", name=str(number)) for number in range(30)]
    for number, one in enumerate(spans):
        if number % 3:
            one.span_id = b"short"
    reading = read_traces(request(*spans).SerializeToString(), PROTOBUF, Principal.operator())
    (kept,) = ExportTraceServiceRequest.FromString(reading.batch.body).resource_spans[0].scope_spans
    assert [one.name for one in kept.spans] == [str(number) for number in range(0, 30, 3)]
    assert (reading.batch.items, reading.rejected) == (10, 20)
    assert reading.reason.startswith("span '1' has the span id '73686f7274'")
