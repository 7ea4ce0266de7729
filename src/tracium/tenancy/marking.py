"""Writing `tenant.id` onto an open span, and what goes with it.

The SDK's `set_attribute` cuts a value to the configured length, and when a span has too many attributes the oldest
goes: the tenant. But a part of a tenant id is another tenant, and a span must not lose it. So, where the SDK is built
as we know it, the tenant is written into the span's attributes directly. Whether it is, is tried out once, on an
object of the SDK's own; if not, the public way is taken.
"""

from __future__ import annotations

import functools
import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from opentelemetry.trace import Span, SpanKind

from tracium import notices
from tracium.attributes import TENANT_ID
from tracium.tenancy.request import fetches_messages, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALIASES: Final = "_tracium_aliases"
"""On the object of a span that may get its tenant later: the attributes besides `tenant.id` that hold it."""

_WRITTEN: Final = "_tracium_written"
_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_TRY_OUT: Final = 3


class Marking(Protocol):
    """A way to mark a span that is open."""

    def mark(self, span: Any, attribute: str, value: str, *, over: bool) -> None:
        """Write `value` onto `span`, whole or not at all; over one that stands there only if `over`."""

    def limit(self, span: Any) -> int | None:
        """The length to which the SDK cuts values on `span`, if it does and if that can be known."""

    def unmark(self, span: Any, attribute: str) -> None:
        """Take the attribute from `span`."""


class PublicMarking:
    """Marks through OpenTelemetry's API: any provider's spans."""

    def mark(self, span: Any, attribute: str, value: str, *, over: bool) -> None:
        """Set the attribute."""
        attributes = getattr(span, "attributes", None)
        if not over and attribute in (_written(span) if attributes is None else attributes):
            return
        span.set_attribute(attribute, value)
        if attributes is None:
            _remember(span, attribute, value)
        elif span.attributes.get(attribute, value) != value:
            self.unmark(span, attribute)
            say_cut(attribute)

    def limit(self, span: Any) -> int | None:  # noqa: ARG002 - the API does not tell
        """Unknown."""
        return None

    def unmark(self, span: Any, attribute: str) -> None:
        """Set an empty value, which nobody has: the API cannot remove an attribute."""
        span.set_attribute(attribute, "")


class DirectMarking:
    """Marks spans of the SDK by writing into their attributes, which then keep the tenant when they overflow.

    Attributes:
        span_class: The SDK's class of spans.
    """

    def __init__(self) -> None:
        # Both are the SDK's, which is not imported before something needs it.
        from opentelemetry.attributes import BoundedAttributes  # noqa: PLC0415
        from opentelemetry.sdk.trace import Span as SdkSpan  # noqa: PLC0415

        self.span_class: type = SdkSpan
        self._bounded: Any = BoundedAttributes

    def install(self) -> bool:
        """Let attributes keep the tenant; tell whether that works, and leave everything as it was if not."""
        original = self._bounded._setitem_locked  # noqa: SLF001 - looked for, and tried out
        self._bounded._setitem_locked = _keeping(original)  # noqa: SLF001
        if self._works():
            return True
        self._bounded._setitem_locked = original  # noqa: SLF001
        return False

    def mark(self, span: Any, attribute: str, value: str, *, over: bool) -> None:
        """Write into the attributes under the SDK's own locks, because the app may be writing too."""
        attributes = span._attributes  # noqa: SLF001
        with span._lock, attributes._lock:  # noqa: SLF001
            if span._end_time is None and (over or attribute not in attributes._dict):  # noqa: SLF001
                attributes._dict[attribute] = value  # noqa: SLF001

    def limit(self, span: Any) -> int | None:
        """The limit that the provider was made with."""
        limit: int | None = span._attributes.max_value_len  # noqa: SLF001
        return limit

    def unmark(self, span: Any, attribute: str) -> None:
        """Remove the attribute."""
        with span._attributes._lock:  # noqa: SLF001
            span._attributes._dict.pop(attribute, None)  # noqa: SLF001

    def _works(self) -> bool:
        """Try it out on attributes of the SDK's own, with limits of three."""
        attributes = self._bounded(_TRY_OUT, {"first": 1}, immutable=False, max_value_len=_TRY_OUT)
        attributes._dict[TENANT_ID] = "longer than three"  # noqa: SLF001
        complaints = logging.getLogger("opentelemetry.attributes")
        complaints.addFilter(_silence)
        try:
            for name in ("second", "third", "fourth", "fifth", "third"):
                attributes[name] = "cut to three"
        finally:
            complaints.removeFilter(_silence)
        with attributes._lock:  # noqa: SLF001
            left = dict(attributes._dict)  # noqa: SLF001
        return left == {"third": "cut", "fourth": "cut", "fifth": "cut", TENANT_ID: "longer than three"}


def _silence(record: logging.LogRecord) -> bool:  # noqa: ARG001 - the signature of a filter
    return False


def _keeping(original: Callable[[Any, str, Any], None]) -> Callable[[Any, str, Any], None]:
    @functools.wraps(original)
    def set_item(self: Any, key: str, value: Any) -> None:
        values = self._dict
        if key in values:
            del values[key]
        elif self.maxlen is not None and len(values) >= self.maxlen:
            # The oldest goes. The tenant takes no room and stays.
            tenant = values.pop(TENANT_ID, None) if key != TENANT_ID else None
            original(self, key, value)
            if tenant is not None:
                # The SDK may have taken another dict.
                self._dict[TENANT_ID] = tenant
            return
        values[key] = value

    return set_item


_public: Final = PublicMarking()
_direct: DirectMarking | None = None


def direct_marking() -> DirectMarking | None:
    """The direct way, if it works with the SDK that is installed; said if it does not."""
    global _direct  # noqa: PLW0603 - tried out once in a process
    if _direct is None:
        try:
            candidate = DirectMarking()
            _direct = candidate if candidate.install() else None
        except (AttributeError, TypeError, ImportError):
            _direct = None
        if _direct is None:
            notices.say(
                "tenant:public-marking",
                logging.INFO,
                "This OpenTelemetry SDK keeps the attributes of spans in a way that tracium does not know, so spans are "
                "marked through the public API: one with more attributes than OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT may lose "
                "its tenant.",
            )
    return _direct


def mark_open_span(span: Span, tenant: str, *, by_default: bool = False) -> None:
    """Mark one open span with the tenant that was just set, unless one stands there that is no mere default.

    Args:
        span: It may be any provider's.
        tenant: A checked tenant id.
        by_default: Nobody set it: the first tenant that is set replaces it.
    """
    # Attributes are a view that is made anew with each look.
    attributes = getattr(span, "attributes", None)
    if _fetches(span, attributes):
        return
    place = place_of(span)
    replaces = place is not None and place.by_default
    if by_default and (place is None or (not replaces and TENANT_ID in (attributes or ()))):
        return
    before = (attributes or {}).get(TENANT_ID) if replaces else None
    marking = _marking_of(span)
    marking.mark(span, TENANT_ID, tenant, over=replaces)
    if place is not None:
        place.by_default = by_default
    for alias in getattr(span, ALIASES, ()):
        if span.attributes.get(TENANT_ID) == tenant:  # type: ignore[attr-defined] # only the SDK's spans have aliases
            # What stands for the default goes with it; what the caller gave stays.
            marking.mark(span, alias, tenant, over=replaces and attributes.get(alias) == before)  # type: ignore[union-attr]


def mark_person(span: Span, attribute: str, value: str, tenant: str | None) -> None:
    """Mark one open span with the user or session of `tenant` that was just set, unless one stands there.

    A span of another tenant is left as it is.

    Args:
        span: It may be any provider's.
        attribute: `user.id` or `session.id`.
        value: A checked id.
        tenant: The tenant whose user or session it is, or None.
    """
    attributes = getattr(span, "attributes", None)
    if not _fetches(span, attributes) and _tenant_on(span, attributes) == tenant:
        _marking_of(span).mark(span, attribute, value, over=False)


def _fetches(span: Span, attributes: Any) -> bool:
    kind = getattr(span, "kind", SpanKind.INTERNAL)
    return kind is SpanKind.CONSUMER and fetches_messages(kind, attributes)


def _marking_of(span: Span) -> Marking:
    return _direct if _direct is not None and isinstance(span, _direct.span_class) else _public


def _tenant_on(span: Span, attributes: Any) -> str | None:
    """The tenant that `span` is marked with, by more than a default."""
    place = place_of(span)
    if place is not None and place.by_default:
        return None
    # An empty value takes a tenant away.
    return (_written(span) if attributes is None else attributes).get(TENANT_ID) or None


def _written(span: Any) -> Mapping[str, str]:
    """What we wrote onto a span whose attributes cannot be read."""
    written: Mapping[str, str] = getattr(span, _WRITTEN, _NONE)
    return written


def _remember(span: Any, attribute: str, value: str) -> None:
    try:
        setattr(span, _WRITTEN, {**_written(span), attribute: value})
    except AttributeError:
        notices.say(
            "tenant:unknown-span",
            logging.WARNING,
            f"Spans of {type(span).__module__}.{type(span).__qualname__} cannot be read nor remembered: when a second "
            "tenant, user or session is set under one of them, it replaces the first there.",
        )


def say_cut(attribute: str = TENANT_ID) -> None:
    """Say that telemetry loses its tenant, user or session to the limit on the length of values."""
    notices.say(
        "tenant:cut" if attribute == TENANT_ID else f"tenant:cut:{attribute}",
        logging.ERROR,
        f"Spans or logs go out without {attribute}: the SDK cut the id to OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT (or "
        "OTEL_SPAN_…, OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT), and a part of an id is another one. Raise the limit to 255.",
    )
