"""The older SDK's way to hand an agent's run to another process: as a dict, whose block there belongs to the run."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import attach
from opentelemetry.trace import SpanContext, TraceFlags, format_span_id, format_trace_id, get_current_span

from tracium import notices
from tracium.agents import current_trace, start_trace
from tracium.queues.delivery import deliver
from tracium.queues.headers import inject, readable
from tracium.signals.stand_in import below
from tracium.tenancy.attachment import restore
from tracium.tenancy.block import here

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracium.agents import AgentTrace

_EXTERNAL: Final = "external"
_SPAN_ID: Final = re.compile(r"(?!0{16})[0-9a-fA-F]{16}")
_TRACE_ID: Final = re.compile(r"(?!0{32})[0-9a-fA-F]{32}")


def get_current_trace_context() -> dict[str, Any] | None:
    """The run that is open here, as a dict of plain values for a message; None if there is none.

    Returns:
        `trace_id` (32 hexadecimal digits), `parent_span_id` (16, or None), `agent_name`, and `headers`: what
        `tracium.queues.inject()` writes, with the trace and, signed where there is a key, the tenant.
    """
    run = current_trace()
    if run is None:
        return None
    around = get_current_span(here()).get_span_context()
    headers: dict[str, str] = {}
    inject(headers)
    return {
        "trace_id": format_trace_id(around.trace_id) if around.is_valid else run.id,
        "parent_span_id": format_span_id(around.span_id) if around.is_valid else None,
        "agent_name": run.agent_name,
        "headers": headers,
    }


@contextmanager
def with_trace_context(
    trace_id: str,
    *,
    parent_span_id: str | None = None,
    agent_name: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Iterator[AgentTrace]:
    """A block that is part of a run in another process, for `with … as run:`; arguments are that process's dict, as `**`.

    The block is a run of its own below the other one, in the same trace, and belongs to the tenant that the headers prove.

    Args:
        trace_id: 32 hexadecimal digits, or a UUID.
        parent_span_id: 16 hexadecimal digits. The older SDK's ids are UUIDs: then the trace is the same, without a parent.
        agent_name: Name of the run, `external` unless given.
        headers: As `get_current_trace_context()` gave them. Without them the block keeps the tenant that holds here.

    Raises:
        ValueError: `trace_id` cannot be the id of a trace.
        TypeError: `headers` are none.
    """
    name = _EXTERNAL if agent_name is None else agent_name
    if headers:
        delivery = deliver(readable(headers))
        try:
            with start_trace(name) as run:
                yield run
        finally:
            if delivery is not None:
                delivery.leave()
        return
    parent = _parent(trace_id, parent_span_id)
    if parent is None:
        with start_trace(name, trace_id=trace_id) as run:
            yield run
        return
    token = attach(below(parent, here()))
    try:
        with start_trace(name) as run:
            yield run
    finally:
        restore(token)


def _parent(trace_id: str, parent_span_id: str | None) -> SpanContext | None:
    """The span that is meant, or None: then `start_trace` looks at the trace id, and refuses what is none."""
    digits = trace_id.replace("-", "") if isinstance(trace_id, str) else ""
    if parent_span_id is None or not _TRACE_ID.fullmatch(digits):
        return None
    if not isinstance(parent_span_id, str) or not _SPAN_ID.fullmatch(parent_span_id):
        notices.say(
            "older:parent",
            logging.WARNING,
            "with_trace_context() was given a parent span of tracium's older SDK, whose ids OpenTelemetry does not have: the "
            "block is in the same trace, without a parent. Update the process that calls get_current_trace_context().",
        )
        return None
    return SpanContext(
        int(digits, 16), int(parent_span_id, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
