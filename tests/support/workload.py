"""Spans of all kinds that accounting tells apart, made by chance, and their numbers by its rules in plain Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.otlp_requests import fill, span

NAMES = (
    "acme",
    "org_1",
    "org_12",
    "org_123:ws",
    "org_123:*",
    "o'br\"ien\\",
    "日本 \u2028",
    "x" * 200,
    ":",
    "%",
    "null",
    " ",
)
MODELS = (
    ("openai", "gpt-4o"),
    ("openai", "text-embedding-3-small"),
    ("anthropic", "claude-sonnet-4-0"),
    ("x", "gpt-4o"),
)
CALLS = ("chat", "embeddings", "text_completion", "generate_content")
MARKS = ("tracium.usage.unknown", "tracium.usage.recorded", "tracium.usage.elsewhere", "tracium.sampled_out")
OF_REQUESTS = ("traces", "requests", "errors", "spans", "span_errors")
OF_CALLS = (
    "model_calls", "model_call_errors", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "unknown_input", "unknown_output", "unknown_usage",
)  # fmt: skip
_INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
_OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
_READ = ("gen_ai.usage.cache_read.input_tokens",)
_WRITE = ("gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens")
_MINUTE = 60 * 10**9


@dataclass(frozen=True)
class Sent:
    """A span of the workload."""

    tenant: str | None
    environment: str
    # Whether tracium's SDK made it.
    is_ours: bool
    trace_id: bytes
    span_id: bytes
    parent: bytes
    kind: int
    end: int
    is_error: bool
    attributes: dict

    def has(self, mark):
        return mark in self.attributes

    @property
    def operation(self):
        return self.attributes.get("gen_ai.operation.name", "")

    @property
    def kind_of_call(self):
        return self.operation == "embeddings"

    @property
    def is_call(self):
        told_elsewhere = self.has("tracium.usage.elsewhere")
        return self.has("tracium.usage.recorded") or (self.operation in CALLS and not told_elsewhere)

    def tokens(self, names):
        """The first that is a whole number of a size that a call can have."""
        for name in names:
            text = str(self.attributes.get(name, "")).removesuffix(".0")
            if text.isdigit() and int(text) < 2**64:
                return int(text) if int(text) < 10**12 else None
        return None


def workload(rng, start, count, prefix):
    """So many spans that end within three hours from `start` (nanoseconds); traces are within half an hour."""
    tenants = [None, *(prefix + name for name in NAMES)]
    traces = [(rng.randbytes(16), start + rng.randrange(15, 165) * _MINUTE) for _ in range(count // 4)]
    sent = []
    for _ in range(count):
        trace_id, about = rng.choice(traces)
        within = about + rng.randrange(-14 * _MINUTE, 14 * _MINUTE)
        tenant = rng.choice(tenants)
        sent.append(
            Sent(
                tenant=tenant,
                environment=rng.choice(("", "prod", "stage's")),
                is_ours=rng.random() < 0.6,
                trace_id=trace_id,
                span_id=rng.randbytes(8),
                parent=rng.choice((b"", rng.randbytes(8), rng.choice(sent).span_id if sent else b"")),
                kind=rng.randrange(1, 6),
                # Many at, or beside, the borders of the roll-ups.
                end=rng.choice((within, within, about // (15 * _MINUTE) * 15 * _MINUTE + rng.choice((-1, 0, 1)))),
                is_error=rng.random() < 0.2,
                attributes=({} if tenant is None else {"tenant.id": tenant}) | _attributes(rng),
            )
        )
    return sent


def requests_of(sent):
    """The spans as one request's message."""
    message = ExportTraceServiceRequest()
    for one in sent:
        resource_spans = message.resource_spans.add()
        resource = {"service.name": "shop", "deployment.environment.name": one.environment}
        resource |= {"telemetry.distro.name": "tracium"} if one.is_ours else {}
        for key, value in resource.items():
            fill(resource_spans.resource.attributes.add(key=key).value, value)
        made = span(
            end=one.end,
            attributes=one.attributes,
            trace_id=one.trace_id,
            span_id=one.span_id,
            parent=one.parent,
            kind=one.kind,
        )
        made.status.code = 2 if one.is_error else 0
        resource_spans.scope_spans.add().spans.append(made)
    return message


def numbers_of(sent, start, end, by):
    """What the rules of accounting say of the spans that end in [start, end), a Counter for each that `by` answers."""
    inner = {
        (one.tenant, one.trace_id, one.parent, one.kind_of_call)
        for one in sent
        if one.is_call and not one.is_ours and one.parent
    }
    numbers, traces = defaultdict(Counter), defaultdict(set)
    for one in sent:
        if not start <= one.end < end:
            continue
        found = numbers[by(one)]
        is_recorded, is_sampled_out = one.has("tracium.usage.recorded"), one.has("tracium.sampled_out")
        found["spans"] += not is_recorded
        found["span_errors"] += one.is_error and not is_recorded
        if not is_recorded and not is_sampled_out:
            traces[by(one)].add(one.trace_id)
            is_request = one.kind in {2, 5} or not one.parent
            found["requests"] += is_request
            found["errors"] += is_request and one.is_error
        is_wrapper = (one.tenant, one.trace_id, one.span_id, one.kind_of_call) in inner
        if one.is_call and (one.is_ours or not is_wrapper):
            _add_call(found, one)
    for key, found in numbers.items():
        found["traces"] = len(traces[key])
    return numbers


def told(row, names):
    """The numbers of an answer; what is not known of a sum adds nothing to it."""
    return {name: getattr(row, name) or 0 for name in names}


def _add_call(found, one):
    taken, given = one.tokens(_INPUT), one.tokens(_OUTPUT)
    is_recorded, is_part = one.has("tracium.usage.recorded"), one.has("tracium.usage.unknown")
    no_input = (taken is None or is_part) and not is_recorded
    no_output = (given is None or is_part) and not is_recorded and not one.kind_of_call
    found["model_calls"] += 1
    found["model_call_errors"] += one.is_error
    found["input_tokens"] += taken or 0
    found["output_tokens"] += given or 0
    found["cache_read_tokens"] += one.tokens(_READ) or 0
    found["cache_write_tokens"] += one.tokens(_WRITE) or 0
    found["unknown_input"] += no_input
    found["unknown_output"] += no_output
    found["unknown_usage"] += no_input or no_output


def _attributes(rng):
    if rng.random() < 0.3:
        return {}
    provider, model = rng.choice(MODELS)
    taken = rng.choice((None, 0, 10, 33_000, 250_000, -1, 1.5, 2**63 - 1))
    given = rng.choice((None, 0, 5, "700", 7.0))
    attributes = {
        "gen_ai.operation.name": rng.choice((*CALLS, "chat", "invoke_agent", "execute_tool")),
        rng.choice(("gen_ai.provider.name", "gen_ai.system")): provider,
        rng.choice(("gen_ai.request.model", "gen_ai.response.model")): model,
        rng.choice(_INPUT): taken,
        rng.choice(_OUTPUT): given,
        "gen_ai.usage.cache_read.input_tokens": rng.choice((None, None, 4)),
        rng.choice(_WRITE): rng.choice((None, None, 3)),
        "gen_ai.usage.audio_tokens": rng.choice((*[None] * 10, 0, 4)),
        "openai.response.service_tier": rng.choice((*[None] * 10, "default", "weird")),
    }
    attributes |= {mark: True for mark in MARKS if rng.random() < 0.05}
    return {key: value for key, value in attributes.items() if value is not None}
