"""Usage that belongs to no span of a model call: it gets one, because only model calls are summed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import set_span_in_context

from tracium.agents.operations import CHAT
from tracium.agents.plan import span_name
from tracium.agents.tracer import tracer
from tracium.attributes import (
    GEN_AI_OPERATION,
    GEN_AI_PROVIDER,
    GEN_AI_REQUEST_MODEL,
    SESSION_ID,
    TENANT_ID,
    USAGE_RECORDED,
    USER_ID,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue


def record_call(  # noqa: PLR0913, PLR0917 - what a call is
    span: Span,
    before: Context | None,
    model_id: str | None,
    provider: str | None,
    usage: Mapping[str, int],
    moment: int | None,
) -> None:
    """Add a model call with this usage below `span`, which is still open.

    It has `span`'s tenant, user and session, whatever holds in the context in which `span` ends.

    Args:
        span: Of the run or step that the usage was told of.
        before: The context around it.
        model_id: The model, if it is known.
        provider: Its provider, if it is known.
        usage: Attributes and counts.
        moment: Its time in nanoseconds since 1970; now unless given.
    """
    whose = getattr(span, "attributes", None) or {}
    known = {
        GEN_AI_REQUEST_MODEL: model_id,
        GEN_AI_PROVIDER: provider,
        **{key: whose.get(key) for key in (TENANT_ID, USER_ID, SESSION_ID)},
    }
    attributes: dict[str, AttributeValue] = {
        GEN_AI_OPERATION: CHAT.name,
        # Nobody knows how long it took, so that it must not count as a call without duration.
        USAGE_RECORDED: True,
        **{key: value for key, value in known.items() if value},
        **usage,
    }
    call = tracer().start_span(
        span_name(CHAT, model_id), set_span_in_context(span, before), CHAT.kind, attributes, start_time=moment
    )
    call.end(moment)
