"""The public interface as a type checker sees it in a user's code; `make lint` checks this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from opentelemetry.trace import Span

import tracium

if TYPE_CHECKING:
    from collections.abc import Iterator

tracium.init(api_key="sk_1", default_version="1.0.0", flush_timeout=2)
tracium.trace(endpoint="http://localhost:4318", protocol="grpc", default_tenant="anonymous")
tracium.set_tenant("acme")
tracium.set_tenant(None)
assert_type(tracium.get_current_tenant(), str | None)
assert_type(tracium.flush(1.5), bool)
assert_type(tracium.report().problems, tuple[str, ...])

with tracium.tenant("acme") as scope:
    assert_type(scope, tracium.tenant)

with tracium.start_trace(agent_name="agent") as run:
    assert_type(run, tracium.AgentTrace)
    assert_type(run.id, str | None)
    with run.span("tool", "search") as step:
        assert_type(step, tracium.AgentSpan)

headers: dict[str, str] = {}
tracium.queues.inject(headers)
tracium.queues.inject([("traceparent", b"")])
with tracium.queues.message(headers, destination="orders") as span:
    assert_type(span, Span)
with tracium.queues.message((("traceparent", b""),)):
    pass


@tracium.tenant("acme")
def function(a: int) -> str:
    """Decorated functions keep their types."""
    return str(a)


@tracium.tenant("acme")
def generator() -> Iterator[int]:
    """So do generators."""
    yield 1


@tracium.agent_trace("agent")
async def coroutine(question: str) -> str:
    """And coroutines."""
    async with tracium.tenant("globex"):
        assert_type(await tracium.aflush(), bool)
    return question


assert_type(function(1), str)
assert_type(tracium.carry(function)(1), str)
assert_type(list(generator()), list[int])
