"""One message, with a span of its own: where no instrumentation makes it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import Link, SpanKind, get_current_span, get_tracer

from tracium.attributes import (
    MESSAGING_DESTINATION,
    MESSAGING_MESSAGE_ID,
    MESSAGING_OPERATION_NAME,
    MESSAGING_OPERATION_TYPE,
    MESSAGING_SYSTEM,
)
from tracium.faults import fault
from tracium.queues.delivery import deliver
from tracium.queues.headers import readable
from tracium.tenancy.marking import mark_open_span
from tracium.tenancy.request import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span

    from tracium.queues.headers import Headers

_tracer: Final = get_tracer("tracium.queues")


@contextmanager
def message(
    headers: Headers, *, destination: str | None = None, system: str | None = None, message_id: str | None = None
) -> Iterator[Span]:
    """Process one message: what runs in the block belongs to the tenant and the trace that its headers bring.

    The message is a request of its own, also in a loop over many, in a batch, and under a span that is longer. Its
    span, `process {destination}`, is the block; an exception that leaves it is recorded there and goes on unchanged.
    Without a tenant in the headers `tracium.set_tenant()` in the block gives it one.

    Args:
        headers: A mapping, or pairs of name and value (as Kafka's clients give them), or None. Values are strings or
            bytes. What `tracium.queues.inject` wrote is understood, and the baggage and trace of any other producer.
        destination: Name of the queue or topic.
        system: Name of the broker, such as `kafka` or `rabbitmq`:
            https://opentelemetry.io/docs/specs/semconv/registry/attributes/messaging/
        message_id: What the broker calls this message.

    Returns:
        A context manager for the block; entering it gives the span.

    Raises:
        TypeError: When it is entered: `headers` are none.
    """
    around = get_current_span().get_span_context()
    delivery = deliver(readable(headers))
    try:
        begun_by = get_current_span().get_span_context()
        # A batch's or worker's own span is not above a message that brings its trace, but leads to it.
        links = [Link(around)] if around.is_valid and around.span_id != begun_by.span_id else None
        with _tracer.start_as_current_span(
            _name("process", destination),
            kind=SpanKind.CONSUMER,
            attributes=_described("process", destination, system, message_id),
            links=links,
        ) as span:
            if delivery is not None and delivery.tenant is not None:
                _mark_foreign(span, delivery.tenant)
            yield span
    finally:
        if delivery is not None:
            delivery.leave()


@contextmanager
def creating(destination: str, system: str, message_id: str | None = None) -> Iterator[Span]:
    """Make one message: the span whose context goes into its headers.

    Sending is not measured by it, because some queues store messages for long before they send them:
    https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#operation-types
    """
    with _tracer.start_as_current_span(
        _name("create", destination),
        kind=SpanKind.PRODUCER,
        attributes=_described("create", destination, system, message_id),
    ) as span:
        yield span


def _mark_foreign(span: Span, tenant: str) -> None:
    """Mark another vendor's span, which no processor of ours has seen."""
    try:
        if span.is_recording() and place_of(span) is None:
            mark_open_span(span, tenant)
    except Exception as error:  # noqa: BLE001 - recording never breaks the app
        fault("marking the span of a message", error)


def _name(operation: str, destination: str | None) -> str:
    return operation if destination is None else f"{operation} {destination}"


def _described(operation: str, destination: str | None, system: str | None, message_id: str | None) -> dict[str, str]:
    attributes = {
        MESSAGING_OPERATION_TYPE: operation,
        MESSAGING_OPERATION_NAME: operation,
        MESSAGING_SYSTEM: system,
        MESSAGING_DESTINATION: destination,
        MESSAGING_MESSAGE_ID: message_id,
    }
    return {key: value for key, value in attributes.items() if value is not None}
