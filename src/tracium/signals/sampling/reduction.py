"""A model call of a trace that is sampled out: what accounting needs of it, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status

from tracium.attributes import (
    ABANDONED,
    ERROR_TYPE,
    GEN_AI_AGENT_ID,
    GEN_AI_AGENT_NAME,
    GEN_AI_AGENT_VERSION,
    GEN_AI_CONVERSATION_ID,
    GEN_AI_OPERATION,
    GEN_AI_PROVIDER,
    GEN_AI_REQUEST_MODEL,
    GEN_AI_REQUEST_STREAM,
    GEN_AI_RESPONSE_ID,
    GEN_AI_RESPONSE_MODEL,
    GEN_AI_SYSTEM,
    OPENINFERENCE_EMBEDDING_MODEL,
    OPENINFERENCE_KIND,
    OPENINFERENCE_MODEL,
    OPENINFERENCE_PROVIDER,
    OPENINFERENCE_SYSTEM,
    SAMPLED_OUT,
    SESSION_ID,
    TENANT_ID,
    TENANT_MIXED,
    TRACELOOP_REQUEST,
    USAGE_ELSEWHERE,
    USAGE_RECORDED,
    USAGE_UNIT_PREFIX,
    USER_ID,
)
from tracium.signals.genai.usage import kind_of, usage_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from opentelemetry.trace import SpanContext

_NEEDED: Final = frozenset(
    {
        ABANDONED,
        ERROR_TYPE,
        GEN_AI_AGENT_ID,
        GEN_AI_AGENT_NAME,
        GEN_AI_AGENT_VERSION,
        GEN_AI_CONVERSATION_ID,
        GEN_AI_OPERATION,
        GEN_AI_PROVIDER,
        GEN_AI_REQUEST_MODEL,
        GEN_AI_REQUEST_STREAM,
        GEN_AI_RESPONSE_ID,
        GEN_AI_RESPONSE_MODEL,
        GEN_AI_SYSTEM,
        OPENINFERENCE_EMBEDDING_MODEL,
        OPENINFERENCE_KIND,
        OPENINFERENCE_MODEL,
        OPENINFERENCE_PROVIDER,
        OPENINFERENCE_SYSTEM,
        SESSION_ID,
        TENANT_ID,
        TENANT_MIXED,
        TRACELOOP_REQUEST,
        USER_ID,
    }
)
# Providers name it each in their own way: gen_ai.openai.response.service_tier, openai.response.service_tier.
_TIER: Final = ".service_tier"
# Operations whose usage is a total: the model calls below them have it.
_TOTALS: Final = frozenset({"create_agent", "execute_tool", "invoke_agent", "invoke_workflow", "retrieval"})


def is_charged(values: Mapping[str, Any]) -> bool:
    """Whether a span with these attributes is a model call that accounting counts."""
    if USAGE_ELSEWHERE in values:
        return False
    if USAGE_RECORDED in values or kind_of(values) is not None:
        return True
    if OPENINFERENCE_KIND in values or values.get(GEN_AI_OPERATION) in _TOTALS:
        return False
    return bool(usage_keys(values))


def reduced(span: ReadableSpan, context: SpanContext, also: Collection[str]) -> ReadableSpan:
    """What accounting needs of the model call `span`.

    It keeps its ids, so that it counts once however often it is sent, and its parent: a span without one would count as a
    request. It has no content: no events, no links, and no description of its status, which may quote the prompt.

    Args:
        span: The span of a model call.
        context: Its context, as it shall be exported.
        also: Names of further attributes to keep.
    """
    values = span.attributes or {}
    usage = usage_keys(values)
    kept = {
        key: value
        for key, value in values.items()
        if key in _NEEDED or key in usage or key in also or key.startswith(USAGE_UNIT_PREFIX) or key.endswith(_TIER)
    }
    return ReadableSpan(
        name=span.name,
        context=context,
        parent=span.parent,
        resource=span.resource,
        attributes={**kept, SAMPLED_OUT: True},
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
