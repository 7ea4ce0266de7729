"""What the options of `init` and `trace` do, from a process of its own to a receiver."""

from __future__ import annotations

import json

import pytest
from support.app import environment, run_app
from support.receiver import http_receiver

PREAMBLE = """
import tracium
{configure}
import opentelemetry.trace as api
tracer = api.get_tracer("app")
def call(tenant, **attributes):
    with tracium.tenant(tenant), tracer.start_as_current_span("chat m", attributes={{"gen_ai.operation.name": "chat"}}) as span:
        span.set_attributes({{name.replace("__", "."): value for name, value in attributes.items()}})
"""
SAID = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "write to bob@example.com"}]}])


def ran(code, configure="tracium.trace()", **variables):
    with http_receiver() as receiver:
        ended = run_app(PREAMBLE.format(configure=configure) + code, environment(receiver, **variables))
    assert ended.stderr == ""
    return receiver


@pytest.mark.parametrize(
    ("configure", "variables"),
    [
        ("tracium.trace(capture_content={'acme': True})", {}),
        ("tracium.init(); tracium.trace(capture_content=lambda tenant: tenant == 'acme')", {}),
        ("tracium.trace()", {"TRACIUM_CAPTURE_CONTENT": "acme"}),
    ],
)
def test_content_is_captured_for_whom_it_is_allowed(configure, variables):
    """Redacted, for one tenant, and for no other."""
    receiver = ran(
        f"for tenant in ('acme', 'globex'): call(tenant, gen_ai__input__messages={SAID!r})\n", configure, **variables
    )
    content = {span.tenant: span.attributes.get("gen_ai.input.messages") for span in receiver.spans}
    assert content == {"acme": SAID.replace("bob@example.com", "[redacted:email]"), "globex": None}


def test_redaction_and_the_limit_are_the_users():
    """A function instead of the patterns; what is longer is cut."""
    receiver = ran(
        "call('acme', tracium__input='secret ' * 100)\n",
        "tracium.trace(capture_content=True, redact=lambda text: text.replace('secret', 'word'), content_limit=50)",
    )
    (span,) = receiver.spans
    assert span.attributes["tracium.input"].startswith("word word")
    assert "cut: " in span.attributes["tracium.input"]
    assert span.attributes["tracium.content.cut"] is True


def test_who_it_is_goes_onto_spans_and_logs():
    """User and session, and the tenant under a further name."""
    receiver = ran(
        """
import logging
logging.getLogger().setLevel("INFO")
with tracium.tenant("acme"), tracium.user("u-1"), tracium.session("s-1"):
    call("acme")
    logging.getLogger("app").info("said")
""",
        "tracium.trace(logs=True, tenant_attributes=['customer.id'])",
    )
    wanted = {"tenant.id": "acme", "customer.id": "acme", "user.id": "u-1", "session.id": "s-1"}
    (span,), (log,) = receiver.spans, receiver.logged("said")
    assert span.attributes.items() >= wanted.items()
    assert log.attributes.items() >= wanted.items()


@pytest.mark.parametrize(
    ("configure", "variables"),
    [
        ("tracium.trace(sample={'free-*': 0.0, '*': 1.0})", {}),
        ("tracium.init(); tracium.trace(sample={'free-*': 0})", {}),
        ("tracium.trace()", {"TRACIUM_SAMPLE": "free-*=0"}),
    ],
)
def test_a_tenants_share_is_exported(configure, variables):
    """Whole traces; what the others' model calls used is delivered all the same."""
    receiver = ran(
        """
for tenant in ("free-1", "acme"):
    with tracium.tenant(tenant), tracer.start_as_current_span("request", kind=api.SpanKind.SERVER):
        call(tenant, gen_ai__usage__input_tokens=7, gen_ai__usage__output_tokens=3, gen_ai__input__messages="no")
""",
        configure,
        **variables,
    )
    assert [span.tenant for span in receiver.named("request")] == ["acme"]
    calls = {span.tenant: span.attributes for span in receiver.named("chat m")}
    assert {tenant: attributes["gen_ai.usage.input_tokens"] for tenant, attributes in calls.items()} == {
        "free-1": 7,
        "acme": 7,
    }
    assert calls["free-1"]["tracium.sampled_out"] is True


def test_errors_are_exported_whatever_the_share():
    """If that is asked for."""
    receiver = ran(
        """
for name in ("fails", "works"):
    with tracium.tenant("acme"), tracer.start_as_current_span(name) as span:
        if name == "fails":
            span.set_status(api.Status(api.StatusCode.ERROR))
""",
        "tracium.trace(sample=0, sample_errors=True)",
    )
    assert [span.name for span in receiver.spans] == ["fails"]


def test_agents_have_the_defaults():
    """Those of the last call hold."""
    receiver = ran(
        "with tracium.start_trace(): pass\n",
        "tracium.init(default_agent_name='old', default_tags=['a']); tracium.trace(default_agent_name='shop',"
        " default_model_id='m', default_version='2', default_metadata={'team': 'x'}, workspace_id='w')",
    )
    (span,) = receiver.spans
    assert span.name == "invoke_agent shop"
    assert (
        span.attributes.items()
        >= {
            "gen_ai.agent.version": "2",
            "gen_ai.request.model": "m",
            "tracium.metadata.team": "x",
            "tracium.workspace.id": "w",
        }.items()
    )


def test_one_flush_sends_all_signals():
    """And tells whether it did."""
    receiver = ran(
        """
import logging, os
from opentelemetry import metrics
metrics.get_meter("app").create_counter("gen_ai.calls").add(1)
logging.getLogger("app").warning("said")
call("acme")
assert tracium.flush()
os._exit(0)
""",
        "tracium.trace(logs=True, metrics=True); import logging, sys; logging.basicConfig(stream=sys.stdout)",
    )
    assert (len(receiver.spans), len(receiver.logged("said")), len(receiver.points_of("gen_ai.calls"))) == (1, 1, 1)


def test_which_metrics_carry_the_tenant_can_be_said_later():
    """As every option; and how many tenants they tell apart."""
    receiver = ran(
        """
from opentelemetry import metrics
counter = metrics.get_meter("app").create_counter("shop.orders")
for tenant in ("a", "b", "c"):
    with tracium.tenant(tenant):
        counter.add(1)
for tenant in ("a", "d"):
    counter.add(1, {"tenant.id": tenant})
""",
        "import logging; logging.getLogger('tracium').disabled = True\n"
        "tracium.init(metrics=True); tracium.trace(tenant_metrics=['shop.*'], metric_tenants=2, tenant_attributes=['of'])",
    )
    found = {(point.tenant, point.attributes.get("of")): point.value for point in receiver.points_of("shop.orders")}
    assert found == {("a", "a"): 2, ("b", "b"): 1, (None, None): 2}


def test_logs_can_be_switched_off_again():
    """What is logged from then on stays here."""
    receiver = ran(
        """
import logging, sys
logging.basicConfig(stream=sys.stdout)
for wanted in (True, False, True):
    tracium.init(logs=wanted)
    logging.getLogger("app").warning("said %s", wanted)
""",
        "tracium.trace(logs=True)",
    )
    assert [log.body for log in receiver.logs] == ["said True", "said True"]


@pytest.mark.parametrize("gone", ["auto_instrument_llm_clients", "auto_instrument_langchain"])
def test_an_older_switch_leaves_the_instrumentation_out(gone):
    """As OTEL_PYTHON_DISABLED_INSTRUMENTATIONS does."""
    name = "openai" if gone.endswith("clients") else "langchain"
    ran(
        f"""
states = {{library.name: library.state for library in tracium.report().libraries}}
assert states[{name!r}] == "disabled", states
""",
        f"import warnings; warnings.simplefilter('ignore'); tracium.trace({gone}=False)",
    )
