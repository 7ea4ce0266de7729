"""`tracium.record_usage`: a model call that nothing instruments, as one finished span, counted once per id."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Link,
    SpanContext,
    SpanKind,
    TraceFlags,
    get_current_span,
    get_tracer_provider,
)

from tracium import notices
from tracium.attributes import (
    GEN_AI_OPERATION,
    GEN_AI_PROVIDER,
    GEN_AI_REQUEST_MODEL,
    TENANT_ID,
    USAGE_ID,
    USAGE_RECORDED,
)
from tracium.faults import fault
from tracium.signals import ids
from tracium.signals.known_ids import KnownIds
from tracium.signals.stand_in import below
from tracium.signals.units import shown, unit_attributes
from tracium.tenancy.block import here
from tracium.tenancy.identity import check_tenant
from tracium.tenancy.standing import binding_in, recorded_tenant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer, TracerProvider
    from opentelemetry.util.types import AttributeValue

KNOWN_IDS: Final = 100_000
"""How many ids one process remembers."""

_MAX_TEXT: Final = 512
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# What a signed 64-bit number of nanoseconds holds: until the year 2262.
_MAX_NANOSECONDS: Final = 2**63 - 1
# Operations whose usage is never summed, because the model calls below them have it.
_COMPOSITE: Final = frozenset({"create_agent", "invoke_agent", "invoke_workflow", "execute_tool", "retrieval"})
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)

_known: Final = KnownIds(KNOWN_IDS)
# The SDK gives a tracer under a lock, which the thread may hold that a signal's handler interrupts.
_made: tuple[TracerProvider, Tracer] | None = None


def record_usage(  # noqa: PLR0913 - each is a word of its own, by name
    tenant: str | None = None,
    *,
    provider: str,
    model: str,
    units: Mapping[str, float | Decimal],
    at: datetime | float | None = None,
    id: str | None = None,  # noqa: A002 - the word that callers know
    operation: str = "chat",
) -> bool:
    """Record what one call to a model used, where nothing instruments the call: batch jobs, images, audio, plain HTTP.

    It is one finished model-call span with `tracium.usage.recorded=true`. Without an `id` it stands under the current
    span. With one it has a trace of its own, whose ids follow from tenant, provider and id, so that the same record from
    another process or another attempt is the same span, and it links to the current span. It is sent also when the trace
    around it is sampled out, unless the sampler asks nobody (`always_off`, or a ratio without `parentbased_`).

    Args:
        tenant: To whom it is charged; the tenant of the current context unless given.
        provider: `gen_ai.provider.name`, such as `openai`.
        model: `gen_ai.request.model`, such as `gpt-image-1`.
        units: What was used: counts by unit, 0 or more. `input_tokens` (with what was read from and written to a cache),
            `output_tokens` (with reasoning), `cache_read_input_tokens`, `cache_creation_input_tokens` and
            `reasoning_output_tokens` are OpenTelemetry's; others, such as `images` or `audio_seconds`, are words of yours.
        at: When it was used: a datetime with a timezone, or seconds since 1970 in UTC; now unless given. Give it together
            with `id`: a record that is repeated at another time may fall into another month.
        id: Of the call or the job, up to 512 characters. The last 100,000 are remembered.
        operation: `gen_ai.operation.name`: `chat`, `embeddings`, `text_completion`, `generate_content` or a word of yours,
            but not that of an agent or a tool, whose usage is never summed.

    Returns:
        Whether it was recorded: not a second time for one id, not without a tracer provider, and not where it is sampled
        out. It is never an error.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument has a value that is not allowed; the message says what is.
    """
    attributes: dict[str, AttributeValue] = {
        GEN_AI_OPERATION: _operation(operation),
        GEN_AI_PROVIDER: _text(provider, "provider"),
        GEN_AI_REQUEST_MODEL: _text(model, "model"),
        USAGE_RECORDED: True,
        **unit_attributes(units),
    }
    if id is not None:
        attributes[USAGE_ID] = _text(id, "id")
    moment = time.time_ns() if at is None else _nanoseconds(at)
    charged = None if tenant is None else check_tenant(tenant)
    try:
        return _record_once(_Call(charged, attributes, moment), provider, id)
    except Exception as error:  # noqa: BLE001 - recording never breaks the app
        fault("recording usage", error)
        return False


class _Call(NamedTuple):
    """One call to record: its tenant if one was given, its attributes, and when it was, in nanoseconds."""

    tenant: str | None
    attributes: dict[str, Any]
    at: int

    def start(self, tracer: Tracer, context: Context, links: list[Link] | None = None) -> Span:
        name = f"{self.attributes[GEN_AI_OPERATION]} {self.attributes[GEN_AI_REQUEST_MODEL]}"
        return tracer.start_span(name, context, SpanKind.CLIENT, self.attributes, links, start_time=self.at)


class _Identity(NamedTuple):
    """The ids of a record that has an id; `above` is no span's, but that of the parent which stands in for a sampler's."""

    trace_id: int
    span_id: int
    above: int

    @classmethod
    def of(cls, tenant: str | None, provider: str, name: str) -> _Identity:
        """They are the same in every process and every release: what was counted once stays counted once."""
        digest = hashlib.sha256(json.dumps([tenant, provider, name]).encode()).digest()
        parts = (digest[:16], digest[16:24], digest[24:])
        # Zero is no id.
        return cls(*(int.from_bytes(part, "big") or 1 for part in parts))


def _record_once(call: _Call, provider: str, name: str | None) -> bool:
    context = here()
    tenant = call.tenant
    if tenant is None:
        tenant, _ = recorded_tenant(context, binding_in(context), None)
    if tenant is not None:
        call.attributes[TENANT_ID] = tenant
    tracer = _tracer()
    if name is None:
        return _finish(tracer, _start(tracer, call, context), call)
    identity = _Identity.of(tenant, provider, name)
    if not _known.add(identity.trace_id):
        return False
    recorded = False
    try:
        recorded = _finish(tracer, _start_alone(tracer, call, context, identity), call)
    finally:
        if not recorded:
            _known.discard(identity.trace_id)
    return recorded


def _tracer() -> Tracer:
    """Our tracer of the global provider, which takes chosen ids if that does."""
    global _made  # noqa: PLW0603 - one for the process
    provider, made = get_tracer_provider(), _made
    if made is None or made[0] is not provider:
        _made = made = (provider, provider.get_tracer("tracium"))
    if ids.takes_choice(provider):
        # It may be older than that.
        ids.install(made[1])
    return made[1]


def _start(tracer: Tracer, call: _Call, context: Context) -> Span:
    span = call.start(tracer, context)
    if span.is_recording():
        return span
    sampled_out = span.get_span_context()
    return call.start(tracer, below(_sampled(sampled_out.trace_id, sampled_out.span_id), context))


def _start_alone(tracer: Tracer, call: _Call, context: Context, identity: _Identity) -> Span:
    around = get_current_span(context).get_span_context()
    links = [Link(around)] if around.is_valid else None
    with ids.chosen(identity.trace_id, identity.span_id, of=tracer) as taken:
        span = call.start(tracer, below(INVALID_SPAN_CONTEXT, context), links)
    if not span.is_recording():
        with ids.chosen(span_id=identity.span_id, of=tracer):
            span = call.start(tracer, below(_sampled(identity.trace_id, identity.above), context), links)
    if span.is_recording() and not taken:
        notices.say(
            "usage:ids",
            logging.WARNING,
            "The tracer provider does not let anybody choose ids, so usage that is recorded with the same id is counted once "
            "in this process only. Let tracium.init() make the provider, or join one of the OpenTelemetry SDK.",
        )
    return span


def _finish(tracer: Tracer, span: Span, call: _Call) -> bool:
    recording = span.is_recording()
    span.end(end_time=call.at)
    recorded = recording and span.get_span_context().trace_flags.sampled
    # Only the SDK's tracers sample; where there is none, nothing is recorded and that is no surprise.
    if not recorded and hasattr(tracer, "sampler"):
        notices.say(
            "usage:sampled-out",
            logging.WARNING,
            "Recorded usage was sampled out, because the sampler keeps nothing whatever its parent says. Use a parent-based "
            "one (OTEL_TRACES_SAMPLER=parentbased_traceidratio), which lets recorded usage through.",
        )
    return recorded


def _sampled(trace_id: int, span_id: int) -> SpanContext:
    """A parent that says that its trace is kept. Its span is nobody's."""
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=_SAMPLED)


def _operation(operation: object) -> str:
    checked = _text(operation, "operation")
    if checked in _COMPOSITE:
        raise ValueError(
            f"operation is {checked!r}, whose usage is never summed, because the model calls below it have it. Record the "
            "model call, such as 'chat'."
        )
    return checked


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}: {value!r:.80}.")
    if not value.strip() or len(value) > _MAX_TEXT:
        raise ValueError(f"{name} must have 1 to {_MAX_TEXT} characters, not {len(value)}: {value!r:.80}.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} has a lone surrogate, which cannot be sent: {value!r:.80}.") from error
    return value


def _nanoseconds(at: object) -> int:
    if isinstance(at, datetime):
        if at.utcoffset() is None:
            raise ValueError(
                f"at is {at!r}, which has no timezone, so that nobody knows when it is. Give it one, such as "
                "datetime.now(timezone.utc)."
            )
        nanoseconds = (at - _EPOCH) // timedelta(microseconds=1) * 1000
    elif isinstance(at, int | float) and not isinstance(at, bool):
        nanoseconds = round(at * 10**9) if 0 <= at <= _MAX_NANOSECONDS else -1
    else:
        raise TypeError(
            f"at must be a datetime or a number of seconds since 1970, not {type(at).__name__}: {at!r:.80}."
        )
    if not 0 <= nanoseconds <= _MAX_NANOSECONDS:
        raise ValueError(
            f"at is {shown(at)}, which is no time from 1970 to 2262. A number counts seconds, not milliseconds."
        )
    return nanoseconds
