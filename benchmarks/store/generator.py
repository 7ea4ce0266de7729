"""Spans of an LLM product with many customers, as OTLP requests: the same seed gives the same bytes.

Ten spans a trace (a request, an agent's run, three chat calls, an embeddings call, two tools, two HTTP calls), at least twenty
attributes each; tenants by Zipf's law; one span in a hundred carries 4 KB of content; times spread over a range.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

SPANS_PER_TRACE = 10
TENANTS = 200
CONTENT_BYTES = 4096
_MODELS = (
    ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", "api.openai.com"),
    ("openai", "gpt-4.1", "gpt-4.1-2025-04-14", "api.openai.com"),
    ("anthropic", "claude-sonnet-4-0", "claude-sonnet-4-20250514", "api.anthropic.com"),
    ("gcp.gemini", "gemini-2.5-flash", "gemini-2.5-flash", "generativelanguage.googleapis.com"),
)
_SERVICES = ("chat-api", "search-api", "batch-worker")
_ENVIRONMENTS = ("production", "production", "production", "staging")
_WORDS = ["".join(random.Random(at).choices("abcdefghijklmnopqrstuvwxyz", k=3 + at % 7)) for at in range(4000)]
_TEMPLATES = 600
_PARENT_OF = (None, 0, 1, 1, 1, 1, 1, 1, 2, 5)


def tenant_name(number: int) -> str:
    """The id of a tenant, from 0 (the largest) on."""
    return f"org_{number:06d}"


@dataclass(frozen=True, slots=True)
class _Template:
    """A trace's spans in serialised form, and where ids and times stand in it."""

    resource: bytes
    spans: bytes
    trace_ids: tuple[int, ...]
    span_ids: tuple[tuple[int, int], ...]  # offset, number of the span
    times: tuple[tuple[int, int], ...]  # offset, nanoseconds before the trace's end
    unique: tuple[int, ...]  # offsets of 24 characters that differ everywhere


class Generator:
    """Requests with spans of `tenants` tenants between two moments.

    Args:
        seed: what the bytes follow from.
        start_ns: the earliest end of a trace.
        end_ns: the latest.
        tenants: how many; the first has the most traces.
    """

    def __init__(self, seed: int, start_ns: int, end_ns: int, tenants: int = TENANTS) -> None:
        self._random = random.Random(seed)
        self._range = start_ns, end_ns
        self._tenants = tenants
        self._weights = list(accumulate(1 / (rank + 1) for rank in range(tenants)))
        self._templates: dict[int, list[_Template]] = {}

    def requests(self, spans: int, per_request: int) -> Iterator[bytes]:
        """Serialised requests with `spans` spans in all, in the order of their times."""
        traces = spans // SPANS_PER_TRACE
        per = max(per_request // SPANS_PER_TRACE, 1)
        start, end = self._range
        step = (end - start) / max(traces, 1)
        for first in range(0, traces, per):
            many = min(per, traces - first)
            yield b"".join(self._trace(int(start + step * (first + at))) for at in range(many))

    def _trace(self, end_ns: int) -> bytes:
        tenant = self._random.choices(range(self._tenants), cum_weights=self._weights)[0]
        known = self._templates.setdefault(tenant, [])
        if len(known) < max(4, _TEMPLATES // (tenant + 1)):
            known.append(_template(self._random, tenant, len(known)))
        template = self._random.choice(known)
        trace_id, ids = self._random.randbytes(16), self._random.randbytes(8 * SPANS_PER_TRACE)
        body = bytearray(template.spans)
        for at in template.trace_ids:
            body[at : at + 16] = trace_id
        for at, number in template.span_ids:
            body[at : at + 8] = ids[8 * number : 8 * number + 8]
        jitter = int.from_bytes(ids[:3])
        for at, before in template.times:
            body[at : at + 8] = (end_ns - before - (before and jitter % (before // 8 + 1))).to_bytes(8, "little")
        for at in template.unique:
            body[at : at + 24] = self._random.randbytes(12).hex().encode()
        scope_spans = bytes(body)
        inner = template.resource + b"\x12" + _varint(len(scope_spans)) + scope_spans
        return b"\x0a" + _varint(len(inner)) + inner


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _template(source: random.Random, tenant: int, number: int) -> _Template:
    message = _scope_spans(source, tenant, number)
    body = message.SerializeToString()
    marks = {"trace": [], "span": [], "time": [], "unique": []}
    for at in range(SPANS_PER_TRACE):
        _find_all(body, _marker("i", at), lambda where, at=at: marks["span"].append((where, at)))
    _find_all(body, b"T" * 16, marks["trace"].append)
    _find_all(body, b"U" * 24, marks["unique"].append)
    starts = _offsets(source)
    for at, (start, end) in enumerate(starts):
        for kind, before in (("s", start), ("e", end), ("v", end)):
            _find_all(body, _marker(kind, at), lambda where, before=before: marks["time"].append((where, before)))
    resource = Resource()
    environment = source.choice(_ENVIRONMENTS)
    for key, value in {
        "service.name": source.choice(_SERVICES),
        "service.version": "1.4.2",
        "service.instance.id": f"pod-{source.randrange(8)}",
        "deployment.environment.name": environment,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.45.1",
        "telemetry.distro.name": "tracium",
        "telemetry.distro.version": "2.0.0",
        "host.name": f"node-{source.randrange(4)}",
    }.items():
        resource.attributes.add(key=key).value.string_value = value
    plain = resource.SerializeToString()
    return _Template(
        resource=b"\x0a" + _varint(len(plain)) + plain,
        spans=body,
        trace_ids=tuple(marks["trace"]),
        span_ids=tuple(marks["span"]),
        times=tuple(marks["time"]),
        unique=tuple(marks["unique"]),
    )


def _marker(kind: str, number: int) -> bytes:
    return f"<{kind}{number:05d}>".encode()


def _find_all(body: bytes, wanted: bytes, found) -> None:
    at = body.find(wanted)
    while at >= 0:
        found(at)
        at = body.find(wanted, at + len(wanted))


def _offsets(source: random.Random) -> list[tuple[int, int]]:
    """Nanoseconds before the end of the trace at which each span starts and ends; the first is the whole."""
    whole = int(source.lognormvariate(7.5, 0.6) * 1e6)
    spans = [(whole, 0), (whole - 1_000_000, 500_000)]
    for _ in range(SPANS_PER_TRACE - 2):
        start = source.randrange(whole // 2, whole - 1_500_000) if whole > 4_000_000 else whole // 2
        spans.append((start, source.randrange(start // 2, start)))
    return spans


def _scope_spans(source: random.Random, tenant: int, number: int) -> ScopeSpans:
    scope_spans = ScopeSpans()
    scope_spans.scope.name, scope_spans.scope.version = "opentelemetry.instrumentation.genai", "1.3b0"
    failed = source.random() < 0.02
    for at, (kind, name, attributes) in enumerate(_spans(source, tenant, number)):
        span = scope_spans.spans.add(trace_id=b"T" * 16, span_id=_marker("i", at), name=name, kind=kind, flags=256)
        if (parent := _PARENT_OF[at]) is not None:
            span.parent_span_id = _marker("i", parent)
        span.start_time_unix_nano = int.from_bytes(_marker("s", at), "little")
        span.end_time_unix_nano = int.from_bytes(_marker("e", at), "little")
        for key, value in attributes.items():
            _fill(span.attributes.add(key=key).value, value)
        if failed and at in {0, 2}:
            span.status.code = 2
            span.status.message = "the model answered 429: rate limit reached"
            event = span.events.add(name="exception", time_unix_nano=int.from_bytes(_marker("v", at), "little"))
            for key, value in (("exception.type", "RateLimitError"), ("exception.message", "429 rate limit reached")):
                event.attributes.add(key=key).value.string_value = value
    return scope_spans


def _fill(target: AnyValue, value: object) -> None:
    match value:
        case bool():
            target.bool_value = value
        case int():
            target.int_value = value
        case float():
            target.double_value = value
        case list():
            for text in value:
                target.array_value.values.add().string_value = text
        case _:
            target.string_value = str(value)


def _spans(source: random.Random, tenant: int, number: int):
    identity = {
        "tenant.id": tenant_name(tenant),
        "user.id": f"user-{tenant}-{source.randrange(500):04d}",
        "session.id": f"session-{tenant}-{number:05d}",
        "gen_ai.conversation.id": f"session-{tenant}-{number:05d}",
        "app.plan": source.choice(("free", "pro", "enterprise")),
        "app.region": source.choice(("eu-west-1", "us-east-1")),
        "app.feature": source.choice(("chat", "search", "summary")),
        "app.release": "2026.11.3",
        "thread.id": source.randrange(140_000_000, 140_000_064),
        "thread.name": "MainThread",
        "code.function.name": source.choice(("answer", "retrieve", "plan")),
        "code.file.path": "/srv/app/chat/answers.py",
        "code.line.number": source.randrange(20, 300),
    }
    model = source.choice(_MODELS)
    provider, asked, _, host = model
    agent = {"gen_ai.agent.name": source.choice(("support", "research")), "gen_ai.agent.id": "agent-1"}
    http = {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.scheme": "https",
        "network.protocol.version": "1.1",
        "server.address": host,
        "server.port": 443,
        "url.full": f"https://{host}/v1/responses",
        "user_agent.original": "python-httpx2/1.0",
    }
    web = {
        "http.route": "/v1/chat",
        "url.path": "/v1/chat",
        "client.address": f"10.0.{source.randrange(8)}.{source.randrange(250)}",
    }
    yield Span.SPAN_KIND_SERVER, "POST /v1/chat", {**identity, **http, **web}
    yield (
        Span.SPAN_KIND_INTERNAL,
        f"invoke_agent {agent['gen_ai.agent.name']}",
        {**identity, **agent, "gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": provider,
         "gen_ai.request.model": asked, "gen_ai.data_source.id": "docs", "app.step": 1, "app.retries": 0},
    )  # fmt: skip
    for turn in range(3):
        yield Span.SPAN_KIND_CLIENT, f"chat {asked}", {**identity, **_chat(source, turn, model)}
    yield (
        Span.SPAN_KIND_CLIENT,
        "embeddings text-embedding-3-small",
        {**identity, "gen_ai.operation.name": "embeddings", "gen_ai.provider.name": "openai",
         "gen_ai.request.model": "text-embedding-3-small", "gen_ai.response.model": "text-embedding-3-small",
         "gen_ai.usage.input_tokens": source.randrange(20, 900), "server.address": "api.openai.com",
         "server.port": 443, "gen_ai.embeddings.dimension.count": 1536},
    )  # fmt: skip
    for tool in ("search_documents", "look_up_order"):
        yield (
            Span.SPAN_KIND_INTERNAL,
            f"execute_tool {tool}",
            {**identity, **agent, "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool,
             "gen_ai.tool.type": "function", "gen_ai.tool.call.id": "U" * 24, "app.step": 2},
        )  # fmt: skip
    for _ in range(2):
        yield Span.SPAN_KIND_CLIENT, "POST", {**identity, **http, "http.request.resend_count": 0}


def _chat(source: random.Random, turn: int, model: tuple[str, str, str, str]):
    provider, asked, answered, host = model
    cached = source.choice((0, 0, 1024, 2048))
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": asked,
        "gen_ai.response.model": answered,
        "gen_ai.response.id": "U" * 24,
        "gen_ai.response.finish_reasons": ["tool_calls" if turn < 2 else "stop"],
        "gen_ai.usage.input_tokens": cached + source.randrange(100, 6000),
        "gen_ai.usage.output_tokens": source.randrange(5, 1500),
        "gen_ai.request.temperature": 0.7,
        "gen_ai.request.max_tokens": 2048,
        "server.address": host,
        "server.port": 443,
    }
    if cached:
        attributes["gen_ai.usage.cache_read.input_tokens"] = cached
    # Three chat calls in ten spans: one span in a hundred is one call in thirty.
    if source.random() < SPANS_PER_TRACE / 300:
        words = []
        while len(" ".join(words)) < CONTENT_BYTES - 100:
            words += source.choices(_WORDS, k=40)
        attributes["gen_ai.input.messages"] = json.dumps(
            [{"role": "user", "parts": [{"type": "text", "content": " ".join(words)}]}]
        )
    return attributes


def count(body: bytes) -> int:
    """How many spans a request has."""
    parsed = ExportTraceServiceRequest.FromString(body)
    return sum(len(scope.spans) for one in parsed.resource_spans for scope in one.scope_spans)
