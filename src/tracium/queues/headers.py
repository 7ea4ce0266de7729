"""The headers of messages, in the forms in which queues and their clients have them."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote_from_bytes

from opentelemetry.propagators.textmap import Getter, Setter

from tracium.boundary import broker
from tracium.faults import fault
from tracium.tenancy.block import here

if TYPE_CHECKING:
    from opentelemetry.context import Context

Headers = Mapping[str, Any] | Iterable[tuple[str, Any]] | None
"""What a message brings: a mapping, or pairs as Kafka has them; values are strings or bytes. None for no headers."""

MutableHeaders = MutableMapping[str, Any] | list[tuple[str, Any]]
"""The same for a message that is being made: a dict, or a list of pairs, whose values become bytes."""


def inject(headers: MutableHeaders) -> None:
    """Write the tenant and the trace of this moment into the headers of a message that is about to be sent to a broker.

    What an earlier message left in them is taken out first. The tenant goes along because brokers are inside; use this
    for messages only, never for requests to others.

    Args:
        headers: A dict, which gets strings, or a list of pairs (as Kafka's clients take), which gets bytes.

    Raises:
        TypeError: `headers` is neither.
    """
    if not isinstance(headers, MutableMapping | list):
        raise TypeError(
            f"tracium.queues.inject() takes a dict or a list of (name, value) pairs, not {type(headers).__name__}: "
            "give it the headers before the message is made of them."
        )
    inject_from(here(), headers)


def inject_from(context: Context, headers: MutableHeaders) -> None:
    """Write the tenant and the trace of `context` into `headers`."""
    try:
        stale = {name.lower() for name in broker.fields()}
        if isinstance(headers, list):
            headers[:] = [pair for pair in headers if _lowered(pair[0]) not in stale]
        else:
            for name in [name for name in headers if _lowered(name) in stale]:
                del headers[name]
        broker.send(headers, SETTER, context)
    except Exception as error:  # noqa: BLE001 - the message is sent all the same
        fault("writing a message's headers", error)


def readable(headers: Headers) -> Mapping[str, Any] | list[tuple[str, Any]]:
    """The headers of a message that has arrived, in a form that can be read more than once and is this message's alone.

    Raises:
        TypeError: They are neither a mapping nor pairs nor None.
    """
    if isinstance(headers, Mapping):
        return headers
    pairs = [] if headers is None else list(headers) if isinstance(headers, Iterable) else [headers]
    if isinstance(headers, str | bytes) or not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):  # noqa: PLR2004 - a pair
        raise TypeError(
            f"tracium.queues.message() takes a mapping, (name, value) pairs or None, not {reprlib.repr(headers)}: give it "
            "the headers that your queue's client shows of the message."
        )
    return pairs


class MessageGetter(Getter[Any]):
    """Reads headers of messages; what is no text is not there."""

    def get(self, carrier: Any, key: str) -> list[str] | None:
        """All values of one header; names are compared without regard to case."""
        found = [text for name, value in _pairs(carrier) if _lowered(name) == key.lower() for text in _texts(value)]
        return found or None

    def keys(self, carrier: Any) -> list[str]:
        """The names of all headers."""
        return [name for name, _ in _pairs(carrier) if isinstance(name, str)]


class MessageSetter(Setter[Any]):
    """Writes headers of messages."""

    def set(self, carrier: Any, key: str, value: str) -> None:
        """Set one header."""
        if isinstance(carrier, list):
            carrier.append((key, value.encode()))
        else:
            carrier[key] = value


_ASCII: Final = bytes(range(128))
# Where the text of a message's attribute stands.
_OF_AN_ATTRIBUTE: Final = ("StringValue", "stringValue", "Value")

GETTER: Final = MessageGetter()
SETTER: Final = MessageSetter()


def _pairs(carrier: Any) -> Iterable[tuple[Any, Any]]:
    if carrier is None:
        return ()
    return carrier.items() if isinstance(carrier, Mapping) else carrier


def _lowered(name: object) -> str | None:
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    return name.lower() if isinstance(name, str) else None


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str | bytes):
        raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        try:
            yield raw.decode()
        except UnicodeDecodeError:
            # As baggage writes octets: a tenant among them is refused where it is read, and all else can be passed on.
            yield quote_from_bytes(raw, safe=_ASCII)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, Mapping):
        # An attribute of a message of SQS, of SNS, and of either in an event of Lambda's.
        for name in _OF_AN_ATTRIBUTE:
            yield from _texts(value.get(name))
