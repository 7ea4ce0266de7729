"""One model call counts once, ends in any case, and what is unknown is called unknown."""

from __future__ import annotations

import gc
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, set_span_in_context

from tracium.signals import tenant_span_processor
from tracium.signals.genai import GenAISpanProcessor
from tracium.signals.metrics import TenantMeterProvider

ELSEWHERE, UNKNOWN, ABANDONED = "tracium.usage.elsewhere", "tracium.usage.unknown", "tracium.abandoned"
INPUT, OUTPUT, RESPONSE = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.response.id"
USAGE = {INPUT: 7, OUTPUT: 3}


class Site:
    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.processor = GenAISpanProcessor()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(tenant_span_processor())
        self.provider.add_span_processor(self.processor)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def start(self, operation="chat", scope="app", above=None, name=None, **more):
        context = None if above is None else set_span_in_context(above)
        attributes = {} if operation is None else {"gen_ai.operation.name": operation}
        return self.provider.get_tracer(scope).start_span(
            name or operation or "step", context, attributes={**attributes, **more.pop("attributes", {})}, **more
        )

    @property
    def ended(self):
        return {span.name: dict(span.attributes) for span in self.exporter.get_finished_spans()}


@pytest.fixture
def site():
    made = Site()
    yield made
    made.provider.shutdown()


def end(span, **attributes):
    span.set_attributes({name.replace("__", "."): value for name, value in attributes.items()})
    span.end()


def test_a_call_that_two_spans_describe_counts_on_the_inner_one(site):
    """Also with a span of the app's own between them."""
    outer = site.start(name="outer")
    between = site.start(None, above=outer)
    inner = site.start(name="inner", above=between)
    inner.set_attributes(USAGE)
    inner.end()
    between.end()
    outer.set_attributes({**USAGE, "gen_ai.usage.cache_read.input_tokens": 1, "llm.token_count.total": 10})
    outer.end()
    assert site.ended["inner"] == {"gen_ai.operation.name": "chat", **USAGE}
    assert site.ended["outer"] == {"gen_ai.operation.name": "chat", ELSEWHERE: True}


def test_a_call_whose_inner_span_knows_nothing_counts_on_the_outer_one(site):
    """The inner one does not call it unknown, because the outer one tells it."""
    outer = site.start(name="outer")
    site.start(name="inner", above=outer).end()
    outer.set_attributes(USAGE)
    outer.end()
    assert site.ended["inner"][ELSEWHERE] is True
    assert UNKNOWN not in site.ended["inner"]
    assert site.ended["outer"].items() >= USAGE.items()


def test_an_outer_span_that_ends_first_keeps_what_it_told(site):
    """A stream's inner span may end later."""
    outer = site.start(name="outer")
    inner = site.start(name="inner", above=outer)
    outer.set_attributes(USAGE)
    outer.end()
    inner.set_attributes(USAGE)
    inner.end()
    assert INPUT in site.ended["outer"]
    assert site.ended["inner"] == {"gen_ai.operation.name": "chat", ELSEWHERE: True}


def test_what_nobody_knows_is_unknown_once(site):
    """A call that was answered without a count, told by two spans."""
    outer = site.start(name="outer")
    site.start(name="inner", above=outer).end()
    outer.end()
    assert [UNKNOWN in site.ended[name] for name in ("inner", "outer")] == [False, True]


def test_a_call_inside_a_tool_is_another_one(site):
    """Google's client runs tools inside its call, and a tool may call a model."""
    outer = site.start(name="outer")
    tool = site.start("execute_tool", above=outer)
    inner = site.start(name="inner", above=tool)
    inner.set_attributes(USAGE)
    inner.end()
    tool.end()
    outer.set_attributes({INPUT: 100, OUTPUT: 50})
    outer.end()
    assert site.ended["inner"].items() >= USAGE.items()
    assert site.ended["outer"][INPUT] == 100


def test_embeddings_inside_a_chat_are_another_call(site):
    """They are of another kind."""
    outer = site.start(name="outer")
    inner = site.start("embeddings", above=outer)
    inner.set_attributes({INPUT: 4})
    inner.end()
    outer.set_attributes(USAGE)
    outer.end()
    assert INPUT in site.ended["embeddings"]
    assert INPUT in site.ended["outer"]


def test_totals_of_an_agent_stay(site):
    """They are no model call and are not summed; two calls inside it are two."""
    agent = site.start("invoke_agent")
    for name in ("first", "second"):
        call = site.start(name=name, above=agent)
        call.set_attributes(USAGE)
        call.end()
    agent.set_attributes({INPUT: 14, OUTPUT: 6})
    agent.end()
    assert site.ended["invoke_agent"][INPUT] == 14
    assert INPUT in site.ended["first"]
    assert INPUT in site.ended["second"]


def test_two_spans_of_one_response_count_once(site):
    """Beside each other, in one trace: who ends first keeps it."""
    parent = site.start(None)
    for name in ("first", "second"):
        call = site.start(name=name, above=parent, attributes={RESPONSE: "chatcmpl-1", **USAGE})
        call.end()
    assert site.ended["first"].items() >= USAGE.items()
    assert site.ended["second"] == {"gen_ai.operation.name": "chat", RESPONSE: "chatcmpl-1", ELSEWHERE: True}


def test_the_same_id_elsewhere_is_another_response(site):
    """Some servers give the same ids again."""
    for name in ("first", "second"):
        site.start(name=name, attributes={RESPONSE: "chatcmpl-1", **USAGE}).end()
    assert INPUT in site.ended["second"]


@pytest.mark.parametrize(
    ("attributes", "unknown"),
    [({}, False), ({"error.type": "429"}, False), ({RESPONSE: "r"}, True), ({"gen_ai.response.model": "m"}, True)],
)
def test_a_failed_call_is_unknown_only_if_the_model_had_begun(site, attributes, unknown):
    """A call that was refused has used nothing."""
    call = site.start()
    call.set_attributes(attributes)
    call.set_status(Status(StatusCode.ERROR))
    call.end()
    assert (UNKNOWN in site.ended["chat"]) is unknown


def test_a_part_of_a_stream_is_a_part(site):
    """What it has told is kept, and that it is not all."""
    call = site.start(attributes={"gen_ai.request.stream": True, INPUT: 7})
    call.set_status(Status(StatusCode.ERROR))
    call.end()
    assert site.ended["chat"].items() >= {INPUT: 7, UNKNOWN: True}.items()


@pytest.mark.parametrize(
    ("attributes", "kept"),
    [
        ({"openinference.span.kind": "LLM", "llm.token_count.prompt": 7}, "llm.token_count.prompt"),
        ({"llm.request.type": "chat", "gen_ai.usage.prompt_tokens": 7}, "gen_ai.usage.prompt_tokens"),
    ],
)
def test_others_names_are_known(site, attributes, kept):
    """OpenInference's and OpenLLMetry's spans are calls too."""
    outer = site.start(None, name="outer", attributes=attributes)
    inner = site.start(name="inner", above=outer, attributes=USAGE)
    inner.end()
    outer.end()
    assert kept not in site.ended["outer"]
    assert site.ended["outer"][ELSEWHERE] is True


def test_a_span_that_shows_only_at_its_end_that_it_is_a_call_counts_once(site):
    """Its scope tells at the start that it may be one."""
    outer = site.start(None, name="outer", scope="openinference.instrumentation.langchain")
    site.start(name="inner", above=outer, attributes=USAGE).end()
    outer.set_attributes({"openinference.span.kind": "LLM", "llm.token_count.prompt": 7})
    outer.end()
    assert site.ended["outer"] == {"openinference.span.kind": "LLM", ELSEWHERE: True}


def test_one_side_alone_is_a_part(site):
    """A stream of Anthropic's that is closed early has told its input and not its output."""
    site.start(attributes={INPUT: 7}).end()
    site.start("embeddings", attributes={INPUT: 7}).end()
    assert UNKNOWN in site.ended["chat"]
    assert UNKNOWN not in site.ended["embeddings"]


def test_what_is_written_onto_the_span_around_a_call_counts_once(site):
    """LiteLLM's callback writes the call onto the app's own span."""
    app = site.start(None, name="app")
    site.start(name="inner", above=app, attributes=USAGE).end()
    app.set_attributes({"gen_ai.operation.name": "chat", **USAGE})
    app.end()
    assert INPUT in site.ended["inner"]
    assert site.ended["app"] == {"gen_ai.operation.name": "chat", ELSEWHERE: True}


def test_a_span_that_nobody_ends_is_sent_with_what_it_knows(site):
    """When it is thrown away; with its tenant, and once."""
    call = site.start(attributes={INPUT: 7, "tenant.id": "acme"})
    del call
    gc.collect()
    site.provider.force_flush()
    site.provider.force_flush()
    (span,) = site.exporter.get_finished_spans()
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "tenant.id": "acme",
        INPUT: 7,
        UNKNOWN: True,
        ABANDONED: True,
    }
    assert span.end_time >= span.start_time


def test_the_next_span_brings_an_abandoned_one_along(site):
    """Nothing has to be flushed for it."""
    call = site.start(name="thrown away")
    del call
    gc.collect()
    site.start(None, name="next").end()
    assert site.ended["thrown away"][ABANDONED] is True


def test_a_span_that_is_open_at_the_end_is_sent(site):
    """And not again when its stream ends afterwards after all."""
    call = site.start(name="open")
    site.processor.give_up()
    assert site.ended["open"][ABANDONED] is True
    site.processor.give_up()
    assert len(site.exporter.get_finished_spans()) == 1
    call.end()


def test_a_span_that_ends_is_not_sent_again(site):
    """Its object goes too, some time."""
    call = site.start()
    call.end()
    del call
    gc.collect()
    site.provider.force_flush()
    assert len(site.exporter.get_finished_spans()) == 1


def test_a_span_may_die_in_any_thread_and_inside_any_lock(site):
    """What happens there is only that it is noted."""
    calls = [site.start(name=f"call {number}") for number in range(50)]
    threads = [threading.Thread(target=calls.pop) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    site.provider.force_flush()
    assert set(site.ended) == {f"call {number}" for number in range(50)}


def test_calls_of_many_threads_inside_one_step_count_once(site):
    """They begin and end while the step does; of two kinds."""
    failed = []

    def call(number):
        try:
            operation = "embeddings" if number % 2 else "chat"
            inner = site.start(operation, above=step, name=f"{operation} {number}", attributes=USAGE)
            site.start(operation, above=inner, name=f"within {number}", attributes=USAGE).end()
            inner.end()
        except Exception as error:
            failed.append(error)

    for _ in range(20):
        step = site.start(name="step")
        threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        step.end()
        for thread in threads:
            thread.join()
    assert failed == []
    told = [span.name for span in site.exporter.get_finished_spans() if INPUT in span.attributes]
    assert len(told) == 160
    assert all(name.startswith("within") for name in told)


def test_server_spans_begin_something_new(site):
    """A service that is called in process is not a part of the caller's call."""
    outer = site.start(name="outer")
    server = site.start(None, above=outer, kind=SpanKind.SERVER)
    inner = site.start(name="inner", above=server, attributes=USAGE)
    inner.end()
    server.end()
    outer.set_attributes({INPUT: 100, OUTPUT: 50})
    outer.end()
    assert site.ended["outer"][INPUT] == 100


def test_a_step_around_two_calls_of_which_one_is_unknown_says_so(site):
    """Their sum is a lower bound, and somebody has to say it."""
    step = site.start(name="step")
    site.start(name="told", above=step, attributes=USAGE).end()
    stream = site.start(name="stream", above=step, attributes={RESPONSE: "r"})
    stream.end()
    step.set_attributes({INPUT: 30, OUTPUT: 3})
    step.end()
    marks = {name: {mark for mark in (ELSEWHERE, UNKNOWN) if mark in found} for name, found in site.ended.items()}
    assert marks == {"told": set(), "stream": {ELSEWHERE}, "step": {UNKNOWN}}
    assert INPUT not in site.ended["step"]


def test_a_stream_that_outlives_its_step_is_one_call(site):
    """The step leaves it to the stream, which knows or does not."""
    for name in ("known", "unknown"):
        step = site.start(name=f"{name} step")
        stream = site.start(name=name, above=step)
        step.end()
        stream.set_attributes(USAGE if name == "known" else {RESPONSE: "r"})
        stream.end()
    marks = {name: {mark for mark in (ELSEWHERE, UNKNOWN) if mark in found} for name, found in site.ended.items()}
    assert marks == {"known step": {ELSEWHERE}, "known": set(), "unknown step": {ELSEWHERE}, "unknown": {UNKNOWN}}


def test_a_span_that_is_sent_at_the_end_and_ends_afterwards_is_the_same(site):
    """It does not take its own response for another span's."""
    call = site.start(attributes={RESPONSE: "r", "gen_ai.request.stream": True, **USAGE})
    site.processor.give_up()
    call.end()
    assert [span.attributes.get(INPUT) for span in site.exporter.get_finished_spans()] == [7, 7]


@pytest.mark.parametrize("key", ["gen_ai.operation.name", RESPONSE, "openinference.span.kind", INPUT])
def test_an_attribute_of_another_type_lets_no_content_out(site, key):
    """The SDK takes mappings too."""
    call = site.start(
        attributes={key: {"a": [1]}, "gen_ai.input.messages": "secret", **({} if key == INPUT else USAGE)}
    )
    call.end()
    assert all("secret" not in str(found) for found in site.ended.values())


def test_links_let_no_content_out(site):
    """They have attributes too."""
    above = site.start(None)
    call = site.start(links=[Link(above.get_span_context(), {"gen_ai.input.messages": "secret", "kept": 1})])
    call.end()
    (link,) = site.exporter.get_finished_spans()[0].links
    assert dict(link.attributes) == {"kept": 1}


def test_usage_recorded_by_hand_inside_a_step_counts_once(site):
    """The step around it has nothing to add."""
    step = site.start(name="step")
    site.start(name="recorded", above=step, attributes={"tracium.usage.recorded": True, **USAGE}).end()
    step.end()
    assert ELSEWHERE in site.ended["step"]


def test_metrics_count_once_too(site):
    """What an outer instrumentation records of a call that an inner one has told is left out."""
    reader = InMemoryMetricReader()
    metrics = TenantMeterProvider(MeterProvider(metric_readers=[reader], shutdown_on_exit=False))
    tokens = metrics.get_meter("app").create_histogram("gen_ai.client.token.usage")
    outer = site.start(name="outer")
    inner = site.start(name="inner", above=outer, attributes=USAGE)
    tokens.record(7, context=set_span_in_context(inner))
    inner.end()
    tokens.record(7, context=set_span_in_context(outer))
    outer.end()
    tokens.record(100)
    (resource,) = reader.get_metrics_data().resource_metrics
    ((metric,),) = [scope.metrics for scope in resource.scope_metrics]
    assert sum(point.sum for point in metric.data.data_points) == 107
    metrics.shutdown()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 6),  # what it begins under: one of those before it
            st.sampled_from(["chat", "embeddings", None, "execute_tool", "invoke_agent"]),
            st.booleans(),  # whether it tells its usage
            st.booleans(),  # whether it ends at once
        ),
        min_size=1,
        max_size=12,
    )
)
def test_on_no_way_up_is_a_usage_told_twice(tree):
    """Whatever spans are inside which, and in whatever order they end: of one kind, up to a tool or an agent, once."""
    site = Site()
    spans = []
    for number, (above, operation, tells, ends) in enumerate(tree):
        parent = spans[above % len(spans)][0] if spans and above else None
        span = site.start(operation, above=parent, name=str(number))
        if tells:
            span.set_attributes(USAGE)
        spans.append((span, parent))
        if ends:
            span.end()
    for span, _ in spans:
        if span.is_recording():
            span.end()
    told = {int(name): attributes for name, attributes in site.ended.items()}
    number_of = {id(span): number for number, (span, _) in enumerate(spans)}
    for number, (_, directly_above) in enumerate(spans):
        kind, parent = tree[number][1], directly_above
        if kind not in {"chat", "embeddings"} or INPUT not in told[number]:
            continue
        while parent is not None:
            above = number_of[id(parent)]
            if tree[above][1] in {"execute_tool", "invoke_agent"}:
                break
            ended_before = tree[above][3]
            assert not (tree[above][1] == kind and INPUT in told[above] and not ended_before), (number, above)
            parent = spans[above][1]
    site.provider.shutdown()
