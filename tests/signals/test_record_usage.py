"""Usage that nothing instruments: one finished model call, counted once per id, charged to the right tenant."""

from __future__ import annotations

import logging
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import NonRecordingSpan, NoOpTracerProvider, SpanContext, SpanKind, use_span
from support.app import environment, run_app
from support.receiver import http_receiver

import tracium
from tracium import faults, notices
from tracium.signals import ids, usage_record
from tracium.signals.known_ids import KnownIds
from tracium.signals.units import MAX_UNITS, unit_attributes
from tracium.signals.usage_record import record_usage

CALL = {"provider": "openai", "model": "gpt-4o"}


@pytest.fixture
def record(pipeline, monkeypatch):
    return recording(pipeline, monkeypatch)


def recording(pipeline, monkeypatch):
    ids.install(pipeline.provider)
    monkeypatch.setattr(usage_record, "get_tracer_provider", lambda: pipeline.provider)
    monkeypatch.setattr(usage_record, "_known", KnownIds(100))

    def record(tenant=None, **given):
        return record_usage(tenant, **{**CALL, "units": {"input_tokens": 1}, **given})

    return record


def test_a_record_is_one_finished_model_call(pipeline, record):
    """With the conventions' names for tokens and ours for all else."""
    units = {
        "input_tokens": 1200,
        "output_tokens": 80.0,
        "cache_read_input_tokens": Decimal(1000),
        "cache_creation_input_tokens": 0,
        "reasoning_output_tokens": 30,
        "images": 2,
        "audio_seconds": Decimal("1.5"),
        "input_audio_tokens": 7,
    }
    at = datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    assert record("acme", units=units, at=at, operation="image_edit")
    (span,) = pipeline.spans
    assert (span.name, span.kind, span.parent) == ("image_edit gpt-4o", SpanKind.CLIENT, None)
    nanoseconds = 1_772_361_000_123_456_000
    assert (span.start_time, span.end_time) == (nanoseconds, nanoseconds)
    assert dict(span.attributes) == {
        "tenant.id": "acme",
        "gen_ai.operation.name": "image_edit",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 80,
        "gen_ai.usage.cache_read.input_tokens": 1000,
        "gen_ai.usage.cache_creation.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 30,
        "tracium.usage.images": 2,
        "tracium.usage.audio_seconds": 1.5,
        "tracium.usage.input_audio_tokens": 7,
        "tracium.usage.recorded": True,
    }
    assert [type(span.attributes[f"gen_ai.usage.{which}_tokens"]) for which in ("input", "output")] == [int, int]


def test_the_tenant_is_the_given_one_else_that_of_the_context(pipeline, record):
    """The given one changes nothing around it; none is none."""
    with pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER):
        tracium.set_tenant("acme")
        record()
        record("globex")
        with tracium.tenant(None):
            record()
        assert tracium.get_current_tenant() == "acme"
    record()
    *calls, request, last = pipeline.spans
    assert [call.attributes.get("tenant.id") for call in calls] == ["acme", "globex", None]
    assert request.attributes["tenant.id"] == "acme"
    assert "tracium.tenant.mixed" not in request.attributes
    assert {call.parent.span_id for call in calls} == {request.context.span_id}
    assert "tenant.id" not in last.attributes


def test_a_default_tenant_is_charged_last(make_pipeline, monkeypatch):
    """And not in a request that is mixed, where nobody knows."""
    pipeline = make_pipeline("anonymous")
    record = recording(pipeline, monkeypatch)
    record(id="alone")
    with pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER):
        tracium.set_tenant("acme")
        tracium.set_tenant("globex")
        tracium.set_tenant(None)
        record()
        record(id="within")
    tenants = [span.attributes.get("tenant.id") for span in pipeline.spans]
    assert tenants == ["anonymous", None, None, "acme"]


def test_an_id_is_recorded_once(pipeline, record):
    """Per tenant and provider; without an id every record counts."""
    assert record("acme", id="job-1")
    assert not record("acme", id="job-1", units={"input_tokens": 99})
    assert record("globex", id="job-1")
    assert record("acme", id="job-1", provider="anthropic")
    assert record("acme")
    assert record("acme")
    assert [span.attributes.get("tracium.usage.id") for span in pipeline.spans] == ["job-1"] * 3 + [None] * 2


def test_the_same_id_is_the_same_span_in_every_process(make_pipeline, monkeypatch):
    """The ids follow from tenant, provider and id, and never change between releases."""
    found = []
    for _ in range(2):
        pipeline = make_pipeline()
        record = recording(pipeline, monkeypatch)
        record("acme", id="job-1")
        with tracium.tenant("acme"):
            record(id="job-2")
        found.append([(span.context.trace_id, span.context.span_id) for span in pipeline.spans])
    assert found[0] == found[1]
    assert len(set(found[0])) == 2
    assert found[0][0] == (0x18881DE2E0EFB6FB5D3832FF0A7F88BC, 0xFBE54852E980C61A)


def test_a_record_with_an_id_has_a_trace_of_its_own_and_a_link(pipeline, record):
    """The trace around it has other ids with every attempt."""
    with pipeline.tracer.start_as_current_span("work") as work:
        record("acme", id="job-1")
    call, _ = pipeline.spans
    assert call.parent is None
    assert call.context.trace_id != work.get_span_context().trace_id
    assert [link.context.span_id for link in call.links] == [work.get_span_context().span_id]


@pytest.mark.parametrize("name", [None, "job-1"])
@pytest.mark.parametrize("around", ["nothing", "sampled-out"])
def test_usage_is_sent_although_its_trace_is_sampled_out(make_pipeline, monkeypatch, name, around):
    """Sampling does not falsify money: a parent-based sampler, the default, lets it through."""
    pipeline = make_pipeline(sampler=ParentBased(ALWAYS_OFF))
    record = recording(pipeline, monkeypatch)
    with tracium.tenant("acme"):
        if around == "nothing":
            assert record(id=name)
        else:
            with use_span(NonRecordingSpan(SpanContext(5, 6, is_remote=False))):
                assert record(id=name)
    (call,) = pipeline.spans
    assert call.attributes["tenant.id"] == "acme"
    assert call.context.trace_flags.sampled
    assert (call.context.trace_id == 5) is (around == "sampled-out" and name is None)


def test_the_ids_are_the_same_where_it_was_sampled_out(make_pipeline, monkeypatch):
    """Two processes with different samplers still count it once."""
    found = set()
    for options in ({}, {"sampler": ParentBased(ALWAYS_OFF)}):
        pipeline = make_pipeline(**options)
        recording(pipeline, monkeypatch)("acme", id="job-1")
        found |= {(span.context.trace_id, span.context.span_id) for span in pipeline.spans}
    assert len(found) == 1


def test_a_sampler_that_keeps_nothing_is_said_and_the_id_stays_free(make_pipeline, monkeypatch):
    """Nothing is recorded, and nobody is told that it was."""
    record = recording(make_pipeline(sampler=ALWAYS_OFF), monkeypatch)
    assert not record("acme", id="job-1")
    assert [notice.key for notice in notices.notices()] == ["usage:sampled-out"]
    pipeline = make_pipeline()
    monkeypatch.setattr(usage_record, "get_tracer_provider", lambda: pipeline.provider)
    assert record("acme", id="job-1")


def test_without_an_sdk_nothing_happens(monkeypatch):
    """No error, no notice, and the id stays free."""
    monkeypatch.setattr(usage_record, "get_tracer_provider", NoOpTracerProvider)
    assert not record_usage("acme", **CALL, units={"images": 1}, id="job-1")
    with use_span(NonRecordingSpan(SpanContext(5, 6, is_remote=True))):
        assert not record_usage("acme", **CALL, units={"images": 1})
    assert notices.notices() == ()


def test_a_provider_that_takes_no_ids_is_said_once(pipeline, monkeypatch):
    """What is recorded there is counted once in this process only."""
    monkeypatch.setattr(pipeline.provider, "id_generator", pipeline.provider.id_generator.others)
    monkeypatch.setattr(usage_record, "get_tracer_provider", lambda: pipeline.provider)
    name = uuid4().hex
    assert record_usage("acme", **CALL, units={"images": 1}, id=name)
    assert not record_usage("acme", **CALL, units={"images": 1}, id=name)
    assert [notice.key for notice in notices.notices()] == ["usage:ids"]


def test_a_fault_of_ours_does_not_reach_the_app(record, monkeypatch, caplog):
    """It is logged, and the id stays free."""
    monkeypatch.setattr(faults, "_raising", False)
    with monkeypatch.context() as broken, caplog.at_level(logging.ERROR):
        broken.setattr(usage_record, "_start_alone", None)
        assert not record("acme", id="job-1")
    assert caplog.records[0].getMessage().startswith("tracium failed while recording usage")
    assert record("acme", id="job-1")


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"tenant": 7}, TypeError, "tenant"),
        ({"tenant": ""}, ValueError, "tenant"),
        ({"provider": ""}, ValueError, "provider must have 1 to 512"),
        ({"provider": None}, TypeError, "provider must be a string, not NoneType"),
        ({"model": "m" * 513}, ValueError, "not 513"),
        ({"model": "\ud800"}, ValueError, "surrogate"),
        ({"id": 7}, TypeError, "id must be a string, not int"),
        ({"operation": "invoke_agent"}, ValueError, "never summed"),
        ({"at": datetime(2026, 3, 1)}, ValueError, "no timezone"),  # noqa: DTZ001 - that is what is refused
        ({"at": "2026-03-01"}, TypeError, "at must be a datetime"),
        ({"at": True}, TypeError, "not bool"),
        ({"at": 1_772_361_000_000}, ValueError, "not milliseconds"),
        ({"at": -1}, ValueError, "1970"),
        ({"at": float("nan")}, ValueError, "1970"),
        ({"at": 10**5000}, ValueError, "very many digits"),
        ({"at": datetime(1969, 12, 31, tzinfo=UTC)}, ValueError, "1970"),
        ({"units": [("images", 1)]}, TypeError, "must be a mapping"),
        ({"units": {}}, ValueError, "1 to 32"),
        ({"units": {f"unit_{number}": 1 for number in range(MAX_UNITS + 1)}}, ValueError, "33 entries"),
        ({"units": {1: 1}}, TypeError, "A unit must be a string"),
        ({"units": {"audio seconds": 1}}, ValueError, "cannot be a unit"),
        ({"units": {"recorded": 1}}, ValueError, "other than elsewhere, id, recorded, unknown"),
        ({"units": {"prompt_tokens": 1}}, ValueError, "name it 'input_tokens'"),
        ({"units": {"images": "1"}}, TypeError, "must be an int, a float or a Decimal, not str"),
        ({"units": {"images": True}}, TypeError, "not bool"),
        ({"units": {"images": -1}}, ValueError, "from 0"),
        ({"units": {"images": float("nan")}}, ValueError, "finite"),
        ({"units": {"images": Decimal("sNaN")}}, ValueError, "finite"),
        ({"units": {"images": Decimal("1e999999")}}, ValueError, "finite"),
        ({"units": {"images": 2**63}}, ValueError, "from 0 to 9223372036854775807"),
        ({"units": {"images": 10**5000}}, ValueError, "finite"),
        ({"units": {"input_tokens": 1.5}}, ValueError, "tokens are whole"),
        ({"units": {"input_tokens": 9, "cache_read_input_tokens": 10}}, ValueError, "it includes"),
        (
            {"units": {"output_tokens": 9, "reasoning_output_tokens": 10}},
            ValueError,
            "'reasoning_output_tokens' \\(10\\)",
        ),
    ],
)
def test_a_wrong_argument_is_refused(pipeline, record, given, error, said):
    """Loudly, where it is passed, and nothing is recorded."""
    with pytest.raises(error, match=said):
        record(**given)
    assert pipeline.spans == ()


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}_tokens|[a-z]{1,8}", fullmatch=True),
        st.integers(0, 2**63 - 1) | st.floats(0, 1e15) | st.decimals(0, 10**15, places=4),
        min_size=1,
        max_size=8,
    )
)
def test_a_unit_is_counted_whole_or_refused(units):
    """Nothing is rounded away from what whole numbers say, and no unit is lost."""
    try:
        attributes = unit_attributes(units)
    except ValueError:
        return
    assert len(attributes) == len(units)
    for unit, count in units.items():
        found = attributes.get(f"tracium.usage.{unit}", attributes.get(f"gen_ai.usage.{unit}"))
        assert found == count if count == int(count) else found == float(count)


def test_threads_record_an_id_once(pipeline, record):
    """Whoever comes first."""
    barrier, results = threading.Barrier(8), []

    def work():
        barrier.wait()
        results.append(record("acme", id="job-1"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 7 + [True]
    assert len(pipeline.spans) == 1


def test_a_handler_of_a_signal_may_record_wherever_it_interrupts(pipeline, record):
    """It runs in the thread that it interrupts, which holds nothing that it waits for."""
    record("acme", id="first")
    interrupted = []

    def interrupt(frame, event, _):
        if (
            frame.f_code.co_filename.endswith(("usage_record.py", "known_ids.py"))
            or frame.f_code.co_name == "get_tracer"
        ):
            if event == "line":
                sys.settrace(None)
                interrupted.append(record("acme", id=f"handler-{len(interrupted)}"))
                sys.settrace(interrupt)
            return interrupt
        return None

    def work():
        sys.settrace(interrupt)
        record("acme", id="interrupted")
        record("acme", id="interrupted")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert len(interrupted) > 20
    assert all(interrupted)
    recorded = [span.attributes["tracium.usage.id"] for span in pipeline.spans]
    assert sorted(recorded) == sorted(
        ["first", "interrupted", *(f"handler-{number}" for number in range(len(interrupted)))]
    )


def test_the_tracer_is_that_of_the_provider_as_it_is(make_pipeline, monkeypatch):
    """Another provider, and one that takes chosen ids since, are not missed."""
    first, second = make_pipeline(), make_pipeline()
    record = recording(first, monkeypatch)
    monkeypatch.setattr(first.provider, "id_generator", first.provider.id_generator.others)
    assert record("acme", id="early")
    assert ids.install(first.provider)
    assert record("acme", id="job-1")
    assert first.spans[-1].context.span_id == 0xFBE54852E980C61A
    recording(second, monkeypatch)("acme", id="job-1")
    assert second.spans[-1].context.span_id == 0xFBE54852E980C61A


def test_the_newest_ids_are_known_and_memory_is_bounded():
    """The oldest goes when a new one comes."""
    known = KnownIds(3)
    assert [known.add(member) for member in (1, 2, 3, 1)] == [True, True, True, False]
    assert known.add(4)
    assert len(known) == 3
    assert known.add(1)
    known.discard(4)
    assert known.add(4)


def test_two_processes_send_one_span():
    """Over OTLP, as a backend sees it: a job that is run again is the same span."""
    code = """
    import tracium
    from opentelemetry.trace import get_tracer_provider
    from tracium.signals.ids import install
    from tracium.signals.usage_record import record_usage
    tracium.init()
    install(get_tracer_provider())
    assert record_usage("acme", provider="openai", model="gpt-4o", units={"input_tokens": 5}, at=1.7e9, id="job-1")
    """
    with http_receiver() as receiver:
        run_app(code, environment(receiver))
        run_app(code, environment(receiver, OTEL_TRACES_SAMPLER="parentbased_always_off"))
    first, second = receiver.spans
    assert (first.trace_id, first.span_id, first.attributes) == (second.trace_id, second.span_id, second.attributes)
    assert first.tenant == "acme"
