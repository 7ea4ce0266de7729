"""A small company's day as spans: tenants of every kind, agents, tools, errors, unknown usage, messages, a broken trace."""

from __future__ import annotations

import json
import os
import random
import time

from support.otlp_requests import MILLISECOND, fill, request, span

MINUTE = 60 * 1000 * MILLISECOND
TENANTS = ("acme-corp", "globex", "initech", "org_123:workspace_456", "550e8400-e29b-41d4-a716-446655440000", None)
MODELS = (("openai", "gpt-4o-mini"), ("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("acme.ai", "house-7b"))
HOSTILE = "<img src=x onerror=alert(1)>\"'&lt;script&gt;"


def a_trace(random_, tenant, end, *, failing=False, silent=False, session=None):
    """An agent's request: two model calls and a tool, the first of which may fail."""
    trace_id = random_.randbytes(16)
    provider, model = random_.choice(MODELS)
    length = random_.randint(400, 3000)
    common = {"trace_id": trace_id}
    root = span(
        tenant, end=end, milliseconds=length, name="POST /resolve", kind=2, span_id=random_.randbytes(8), **common
    )
    agent = span(
        tenant, end=end - 5 * MILLISECOND, milliseconds=length - 10, name="invoke_agent resolver", kind=1,
        span_id=random_.randbytes(8), parent=root.span_id, **common,
        attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "resolver"} | ({"session.id": session} if session else {}),
    )  # fmt: skip
    first = call(
        random_,
        tenant,
        end - length // 2 * MILLISECOND,
        length // 3,
        provider,
        model,
        agent,
        failing=failing,
        silent=silent,
        session=session,
    )
    tool = span(
        tenant, end=end - length // 3 * MILLISECOND, milliseconds=length // 8, name="execute_tool find_order", kind=1,
        span_id=random_.randbytes(8), parent=agent.span_id, **common,
        attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find_order"},
    )  # fmt: skip
    second = call(random_, tenant, end - 20 * MILLISECOND, length // 4, provider, model, agent, session=session)
    if failing:
        root.status.code, root.status.message = 2, "the model answered 500"
    return [root, agent, first, tool, second]


def call(random_, tenant, end, milliseconds, provider, model, parent, *, failing=False, silent=False, session=None):
    """A model call with its messages; a failing one has an exception, a silent one no usage."""
    question = "Where is my parcel? I ordered two weeks ago."
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.response.model": model,
        "server.address": f"api.{provider}.com",
        "gen_ai.input.messages": json.dumps(
            [
                {"role": "system", "parts": [{"type": "text", "content": "You answer customers of a shop."}]},
                {"role": "user", "parts": [{"type": "text", "content": f"{question} {HOSTILE}"}]},
            ]
        ),
        "gen_ai.output.messages": json.dumps(
            [
                {
                    "role": "assistant",
                    "finish_reason": "tool_call",
                    "parts": [
                        {"type": "text", "content": "Let me look that up."},
                        {"type": "tool_call", "id": "call_1", "name": "find_order", "arguments": {"order": 4711}},
                    ],
                }
            ]
        ),
    }
    if session:
        attributes["session.id"] = session
    if not silent and not failing:
        attributes |= {
            "gen_ai.usage.input_tokens": random_.randint(200, 4000),
            "gen_ai.usage.output_tokens": random_.randint(20, 600),
        }
    made = span(
        tenant, end=end, milliseconds=milliseconds, name=f"chat {model}", kind=3, parent=parent.span_id,
        trace_id=parent.trace_id, span_id=random_.randbytes(8), attributes=attributes,
    )  # fmt: skip
    if failing:
        made.status.code, made.status.message = 2, "Error code: 500"
        event = made.events.add(name="exception", time_unix_nano=end)
        for key, value in {
            "exception.type": "openai.InternalServerError",
            "exception.message": "The server had an error while processing your request.",
            "exception.stacktrace": 'Traceback (most recent call last):\n  File "app.py", line 61, in chat\n    raise InternalServerError\n',
        }.items():
            fill(event.attributes.add(key=key).value, value)
    return made


def a_day(traces=400, hours=30, seed=7):
    """One request of OTLP with what happened in the last hours."""
    random_ = random.Random(seed)
    now = time.time_ns()
    shares = (40, 25, 12, 8, 10, 3)
    spans = []
    for index in range(traces):
        tenant = random_.choices(TENANTS, shares)[0]
        end = now - int(random_.random() ** 1.3 * hours * 60 * MINUTE)
        failing = random_.random() < (0.25 if tenant == "initech" else 0.02)
        silent = tenant == "org_123:workspace_456" and random_.random() < 0.5
        session = f"session-{index % 7}" if index % 3 == 0 else None
        spans += a_trace(random_, tenant, end, failing=failing, silent=silent, session=session)
    return request(*spans, service="support-desk")


def a_broad_trace(spans=10_000, tenant="acme-corp"):
    """One trace of many spans, up to twelve deep, with some errors; answers its id and the requests."""
    random_ = random.Random(11)
    trace_id, end = os.urandom(16), time.time_ns() - MINUTE
    length = 60_000
    made = [span(tenant, end=end, milliseconds=length, name="POST /batch", trace_id=trace_id)]
    depths = {made[0].span_id: 0}
    while len(made) < spans:
        parent = random_.choice((made[0], *made[-40:]))
        room = parent.end_time_unix_nano - parent.start_time_unix_nano
        if depths[parent.span_id] >= 12 or room < 10 * MILLISECOND:
            parent = made[0]
        start = random_.randint(parent.start_time_unix_nano, parent.end_time_unix_nano - 1)
        stop = random_.randint(start, parent.end_time_unix_nano)
        child = span(
            tenant, end=stop, milliseconds=(stop - start) // MILLISECOND, name=f"step {len(made)}", kind=1,
            trace_id=trace_id, parent=parent.span_id,
        )  # fmt: skip
        if random_.random() < 0.001:
            child.status.code = 2
        depths[child.span_id] = depths[parent.span_id] + 1
        made.append(child)
    return trace_id.hex(), [request(*made[at : at + 1000], service="batch") for at in range(0, len(made), 1000)]
