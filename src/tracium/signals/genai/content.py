"""Prompts and answers on spans, their events and log records: only where allowed, redacted, and up to a limit.

It is settled when a span ends and when a record is emitted, for whoever exports them, because whether an
instrumentation captures content can only be switched for the whole process, and not for a tenant.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk._logs import LogRecordProcessor

from tracium import notices
from tracium.attributes import CONTENT_CUT, CONTENT_DROPPED, EVENT_NAME, EVENT_NAME_DEPRECATED, TENANT_ID
from tracium.faults import fault
from tracium.signals.genai.keys import Holds, all_plain, holds, holds_in_event, is_genai, is_genai_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

    from tracium.signals.genai.policy import ContentPolicy
    from tracium.signals.genai.rewriting import Rewriting

    Redact = bool | Callable[[str], str] | None

# What the body of an event says besides content.
_BODY_FIELDS: Final = ("finish_reason", "id", "index", "role")
# The last is LiteLLM's.
_EVENT_NAMES: Final = (EVENT_NAME, EVENT_NAME_DEPRECATED, "event_name")


def settle_span(span: ReadableSpan, policy: ContentPolicy, redact: Redact, limit: int) -> None:
    """Settle the content of a span that ends, and that of its events, in its own tenant's name.

    It costs one look for spans without any. A fault of ours leaves no content behind.

    Args:
        span: A span of the SDK's that nobody can write to any more: in a processor's `_on_ending`.
        policy: Whose content may be recorded.
        redact: True or None for the built-in patterns, False for none, or a function from text to text.
        limit: Characters that the texts of one value may have together.
    """
    attributes: Any = span._attributes  # noqa: SLF001 - the public view cannot be written to
    values: dict[str, Any] = getattr(attributes, "_dict", attributes)
    tenant = _tenant(values)
    settle(values, tenant, policy, redact, limit)
    if span._events:  # noqa: SLF001 - as above
        settle_events(span._events, values, tenant, policy, redact, limit)  # noqa: SLF001
    for link in span._links or ():  # noqa: SLF001
        linked: Any = link.attributes
        if linked:
            settle(getattr(linked, "_dict", linked), tenant, policy, redact, limit)


def settle(values: dict[str, Any], tenant: str | None, policy: ContentPolicy, redact: Redact, limit: int) -> None:
    """Settle the content among attributes: what `tenant` may not have goes, the rest is redacted and cut.

    What was cut or dropped is marked with `tracium.content.cut` or `tracium.content.dropped`.

    Args:
        values: The attributes, which are changed.
        tenant: Whose they are; None if they are nobody's.
        policy: Whose content may be recorded.
        redact: True or None for the built-in patterns, False for none, or a function from text to text.
        limit: Characters that the texts of one value may have together.
    """
    if all_plain(values):
        return
    try:
        found = _content_among(values)
        if found:
            _settle_found(values, found, _rewriting(tenant, policy, redact, limit), values)
    except Exception as error:  # noqa: BLE001 - recording never breaks the app, and nothing goes out that was not settled
        _remove(values, _content_among(values))
        fault("settling captured content", error)


def settle_events(  # noqa: PLR0913, PLR0917 - as `settle`, and where the marks go
    events: Any,
    marked: dict[str, Any],
    tenant: str | None,
    policy: ContentPolicy,
    redact: Redact,
    limit: int,
) -> None:
    """Settle the content of a span's events, as `settle` does that of its attributes.

    Args:
        events: The SDK's events. Their attributes are changed.
        marked: The span's attributes, which take the marks.
        tenant: Whose the span is.
        policy: Whose content may be recorded.
        redact: As for `settle`.
        limit: As for `settle`.
    """
    for event in events:
        attributes = event._attributes  # noqa: SLF001 - the public view cannot be written to
        values = getattr(attributes, "_dict", attributes)
        if not values:
            continue
        try:
            found = _content_of_event(event.name, values)
            if found:
                _settle_found(values, found, _rewriting(tenant, policy, redact, limit), marked)
        except Exception as error:  # noqa: BLE001 - as in `settle`
            _remove(values, _content_of_event(event.name, values))
            fault("settling the content of an event", error)


class ContentLogRecordProcessor(LogRecordProcessor):
    """Settles the content of log records: in events of models their body and attributes, in others the known attributes.

    It stands behind the processor that marks records with their tenant and before those that export them.

    Attributes:
        policy: Whose content may be recorded.
        redact: As for `settle`.
        limit: As for `settle`.
    """

    def __init__(self, policy: ContentPolicy, redact: Redact, limit: int) -> None:
        self.policy = policy
        self.redact = redact
        self.limit = limit

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Settle one record; this runs where the app logs."""
        record = log_record.log_record
        attributes: Any = record.attributes
        values = getattr(attributes, "_dict", attributes)
        name = record.event_name or next((values[key] for key in _EVENT_NAMES if key in values), None)
        if not is_genai_event(name):
            settle(values, _tenant(values), self.policy, self.redact, self.limit)
            return
        try:
            rewriting = _rewriting(_tenant(values), self.policy, self.redact, self.limit)
            found = _content_of_event(name, values)
            if record.body is not None:
                record.body = _plain_body(record.body) if rewriting is None else rewriting.value(record.body)
            _settle_found(values, found, rewriting, values)
        except Exception as error:  # noqa: BLE001 - as in `settle`
            record.body = None
            _remove(values, _content_of_event(name, values))
            fault("settling the content of a log record", error)

    def shutdown(self) -> None:
        """Nothing is held back."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the interface's
        """Nothing is held back."""
        return True


def _tenant(values: Mapping[str, Any]) -> str | None:
    tenant = values.get(TENANT_ID)
    # An empty value takes a tenant away where attributes cannot be removed.
    return tenant if isinstance(tenant, str) and tenant else None


def _rewriting(tenant: str | None, policy: ContentPolicy, redact: Redact, limit: int) -> Rewriting | None:
    """How the content of `tenant` is rewritten; None if it may have none."""
    if not policy.allows(tenant):
        return None
    # The patterns take time to be made, and most apps capture nothing.
    from tracium.signals.genai.redaction import redaction_of  # noqa: PLC0415
    from tracium.signals.genai.rewriting import Marks, Rewriting  # noqa: PLC0415

    return Rewriting(redaction_of(redact), limit, Marks())


def _content_among(values: Mapping[str, Any]) -> list[str]:
    """The keys that hold content."""
    return [key for key, value in values.items() if _is_content(holds(key), value, values)]


def _content_of_event(name: object, values: Mapping[str, Any]) -> list[str]:
    if not is_genai_event(name):
        return [] if all_plain(values) else _content_among(values)
    return [key for key, value in values.items() if _is_content(holds_in_event(key), value, values)]


def _is_content(kind: Holds, value: object, values: Mapping[str, Any]) -> bool:
    if kind is Holds.CONTENT:
        return True
    if kind is Holds.UNKNOWN:
        return not isinstance(value, bool | int | float)
    return kind is Holds.CONTENT_IF_GENAI and is_genai(values)


def _settle_found(
    values: dict[str, Any], found: list[str], rewriting: Rewriting | None, marked: dict[str, Any]
) -> None:
    if rewriting is None:
        _remove(values, found)
        _say_unknown(found)
        return
    for key in found:
        kept = rewriting.value(values[key])
        if kept is None:
            del values[key]
        else:
            values[key] = kept
    if rewriting.marks.cut:
        marked[CONTENT_CUT] = True
    if rewriting.marks.dropped:
        marked[CONTENT_DROPPED] = True


def _remove(values: dict[str, Any], keys: list[str]) -> None:
    for key in keys:
        values.pop(key, None)


def _say_unknown(removed: list[str]) -> None:
    unknown = next((key for key in removed if holds(key) is Holds.UNKNOWN), None)
    if unknown is not None:
        notices.say(
            "content:unknown",
            logging.INFO,
            f"The attribute {unknown!r} was taken from a span or log record, because it may be a prompt or an answer and "
            "capture_content does not allow those: tracium does not know the name. If it is neither, please report it.",
        )


def _plain_body(body: object) -> dict[str, Any] | None:
    """What remains of the body of an event whose tenant may have no content."""
    if not isinstance(body, Mapping):
        return None
    return {field: body[field] for field in _BODY_FIELDS if isinstance(body.get(field), str | int)} or None
