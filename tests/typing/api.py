"""The public interface as a type checker sees it in a user's code; `make lint` checks this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from opentelemetry.trace import Span

import tracium

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

tracium.init(api_key="sk_1", default_version="1.0.0", flush_timeout=2)
tracium.trace(endpoint="http://localhost:4318", protocol="grpc", default_tenant="anonymous", split_by_tenant=True)
tracium.set_tenant("acme")
tracium.set_tenant(None)
assert_type(tracium.get_current_tenant(), str | None)
tracium.set_user("u-1")
tracium.set_session(None)
assert_type((tracium.get_current_user(), tracium.get_current_session()), tuple[str | None, str | None])
assert_type(tracium.flush(1.5), bool)
assert_type(tracium.report().problems, tuple[str, ...])

with tracium.tenant("acme") as scope:
    assert_type(scope, tracium.tenant)
with tracium.user("u-1") as user, tracium.session(None) as session:
    assert_type((user, session), tuple[tracium.user, tracium.session])

with tracium.start_trace(agent_name="agent") as run:
    assert_type(run, tracium.AgentTrace)
    assert_type(run.id, str | None)
    with run.span("tool", "search") as step:
        assert_type(step, tracium.AgentSpan)
        step.record_input({"q": "tea"})
        step.set_token_usage(10, 5, cached_input=3, reasoning=1)
    with step.span("llm", "gpt-4o", input=["why"], provider="openai", tags=["t"], latency_ms=1.5) as call:
        call.set_model_id("gpt-4o-mini", provider="openai")
    assert_type(run.tags, list[str])
    run.set_summary({"found": 1})
    run.mark_failed(ValueError("no stock"), metadata={"order": 7})
tracium.start_trace(
    "agent", model_id="m", version="1", tags=("t",), metadata={"k": 1}, workspace_id="w", trace_id="4bf9" * 8
)

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


@tracium.user("u-1")
@tracium.session("s-1")
def worker(a: int) -> str:
    """Also for a user and a session."""
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


@tracium.agent_trace
def bare(a: int) -> str:
    """Without parentheses too."""
    return str(a)


@tracium.agent_span("tool", capture_args=True, require_trace=True)
async def stream() -> AsyncIterator[int]:
    """And async generators."""
    yield 1


assert_type(bare(1), str)
assert_type(function(1), str)
assert_type(worker(1), str)
assert_type(tracium.carry(function)(1), str)
assert_type(list(generator()), list[int])
