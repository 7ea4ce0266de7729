"""A run that goes on in another process, handed over as a dict."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from opentelemetry import trace
from support.app import environment, run_app
from support.receiver import http_receiver

import tracium
from tracium import notices
from tracium.boundary.trust import Trust, install_trust
from tracium.legacy.trace_context import get_current_trace_context, with_trace_context

_WORKER = """
import json, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import tracium
tracium.init()
with tracium.with_trace_context(**json.loads({context!r})) as run:
    assert tracium.get_current_tenant() == {tenant!r}, tracium.get_current_tenant()
    assert run.id == {trace_id!r}, run.id
    assert tracium.current_trace() is run
    with run.span("tool", "there"):
        pass
assert tracium.get_current_tenant() is None
assert tracium.current_trace() is None
"""


def test_a_run_goes_on_in_another_process_with_its_tenant():
    """One trace: the block is below the span that was current, and belongs to the same tenant."""
    with http_receiver() as receiver:
        sent = run_app(
            """
            import json, warnings
            warnings.simplefilter("ignore", DeprecationWarning)
            import tracium
            tracium.init()
            assert tracium.get_current_trace_context() is None
            tracium.set_tenant("acme")
            with tracium.start_trace("here"), tracium.current_trace().span("plan", "hand over"):
                print(json.dumps(tracium.get_current_trace_context()))
            """,
            environment(receiver),
        ).stdout.strip()
        context = json.loads(sent)
        assert context["agent_name"] == "here"
        worker = _WORKER.format(context=sent, tenant="acme", trace_id=context["trace_id"])
        run_app(worker, environment(receiver))
    spans = {span.name: span for span in receiver.spans}
    assert set(spans) == {"invoke_agent here", "plan hand over", "execute_tool there"}
    assert {span.tenant for span in receiver.spans} == {"acme"}
    assert {span.trace_id for span in receiver.spans} == {context["trace_id"]}
    (inner,) = [
        span for span in receiver.named("invoke_agent here") if span.parent_id == spans["plan hand over"].span_id
    ]
    assert spans["execute_tool there"].parent_id == inner.span_id


def test_a_dict_without_proof_brings_no_tenant_where_proof_is_wanted():
    """No tenant is better than a wrong one, also than that of whatever runs around the block."""
    forged = {"trace_id": "1" * 32, "headers": {"baggage": "tenant.id=evil"}}
    before = Trust.of(propagation_key=None, api_key=None, trusted_sources=None, inside_hosts=None, proven_brokers=False)
    install_trust(
        Trust.of(propagation_key="k" * 40, api_key=None, trusted_sources=None, inside_hosts=None, proven_brokers=True)
    )
    try:
        with tracium.tenant("acme"), with_trace_context(**forged):
            assert tracium.get_current_tenant() is None
    finally:
        install_trust(before)


@pytest.mark.parametrize("trace_id", ["0123456789abcdef0123456789abcdef", str(UUID(int=0xABC))])
def test_ids_of_other_processes_place_the_block(trace_id):
    """Without headers the tenant that holds here goes on holding, and afterwards the span that was current is so again."""
    around = trace.get_current_span()
    with (
        tracium.tenant("acme"),
        with_trace_context(trace_id, parent_span_id="00000000000000ff", agent_name="worker") as run,
    ):
        assert tracium.get_current_tenant() == "acme"
        assert run.agent_name == "worker"
        # Without an SDK a span has the identity of its parent.
        inside = trace.get_current_span().get_span_context()
    assert inside.trace_id == int(trace_id.replace("-", ""), 16)
    assert trace.get_current_span() is around
    assert notices.notices() == ()


def test_a_parent_of_the_older_sdk_is_said():
    """Its ids are UUIDs: the trace is joined, the parent is not."""
    with http_receiver() as receiver:
        context = {"trace_id": str(UUID(int=0xABC)), "parent_span_id": str(UUID(int=5)), "agent_name": None}
        worker = _WORKER.format(context=json.dumps(context), tenant=None, trace_id=f"{0xABC:032x}")
        run_app(worker + "assert 'older SDK' in tracium.report().problems[0]\n", environment(receiver))
    spans = {span.name: span for span in receiver.spans}
    assert {span.trace_id for span in receiver.spans} == {f"{0xABC:032x}"}
    assert spans["invoke_agent external"].parent_id == ""


def test_what_cannot_be_a_trace_is_refused():
    """Loudly, before the block runs."""
    with pytest.raises(ValueError, match="trace"), with_trace_context("my-trace"):
        raise AssertionError
    with pytest.raises(TypeError, match="mapping"), with_trace_context("1" * 32, headers="text"):
        raise AssertionError


def test_outside_of_a_run_there_is_nothing_to_hand_over():
    """As it was: code asks whether there is something."""
    assert get_current_trace_context() is None
