"""boto3: messages for SQS and SNS take the tenant along, and nothing else that goes to AWS has it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from support.app import environment
from support.receiver import http_receiver

import tracium
from tracium.boundary.outgoing import baggage_for

APP = Path(__file__).parents[1] / "support" / "apps" / "boto_app.py"
SENDING = ["SendMessage", "SendMessageBatch", "SendMessage", "Publish", "PublishBatch", "Publish"]


def run(**variables):
    """What the app saw, its log, and its spans."""
    with http_receiver() as receiver:
        env = environment(receiver, TRACIUM_PROPAGATION_KEY="a key that is long enough", **variables)
        ended = subprocess.run([sys.executable, str(APP)], env=env, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr[-4000:]
        assert "tracium failed" not in ended.stderr
        return json.loads(ended.stdout), ended.stderr, receiver.spans


@pytest.fixture(scope="module")
def ran():
    return run()


def test_messages_take_tenant_and_trace_along(ran):
    """One and several, to SQS and SNS; what an earlier message left in the attributes is replaced."""
    seen, _, _ = ran
    sent = seen["wire"][: len(SENDING)]
    assert [each["action"] for each in sent] == SENDING
    one, batch = json.loads(sent[0]["body"]), json.loads(sent[1]["body"])["Entries"]
    attributes = [one["MessageAttributes"], *(entry["MessageAttributes"] for entry in batch)]
    for each in attributes:
        assert each["baggage"]["StringValue"].startswith("tenant.id=acme,tracium.tenant.signature=1-" + seen["trace"])
        assert each["traceparent"]["StringValue"][3:35] == seen["trace"]
    assert [sorted(each) for each in attributes] == [
        ["baggage", "color", "traceparent"],
        ["baggage", "traceparent"],
        ["baggage", "color", "traceparent"],
    ]
    for each in sent[3:5]:
        values = [value for (value,) in parse_qs(each["body"]).values() if value.startswith("tenant.id=")]
        assert [value.partition(",")[0] for value in values] == ["tenant.id=acme"]
    assert "somebody" not in json.dumps(sent)


def test_a_message_without_room_goes_without_and_that_is_said(ran):
    """SQS allows ten attributes."""
    seen, log, _ = ran
    attributes = json.loads(seen["wire"][2]["body"])["MessageAttributes"]
    assert sorted(attributes) == [f"a{number}" for number in range(9)]
    assert log.count("attributes that those for tenant and trace have no room") == 1


def test_what_is_received_is_understood(ran):
    """A receiver asks for our attributes by itself, and each message is a request of its own."""
    seen, _, spans = ran
    assert [tenant for _, tenant, _ in seen["received"]] == ["acme", "acme", "acme", None]
    assert {trace_id for _, tenant, trace_id in seen["received"] if tenant} == {seen["trace"]}
    assert seen["after"] is None
    assert [span.tenant for span in spans if span.name == "process q"] == ["acme", "acme", "acme", None]


def test_nothing_else_has_the_tenant(ran):
    """No header of any request, no text message to a phone, no payload, no model call."""
    seen, _, spans = ran
    for each in seen["wire"]:
        assert "acme" not in json.dumps(each["headers"])
        assert "baggage" not in {name.lower() for name, _ in each["headers"]}
    others = seen["wire"][len(SENDING) - 1 :]
    assert len(others) == 7
    assert "acme" not in json.dumps(others)
    # The calls themselves belong to the tenant all the same.
    assert {span.tenant for span in spans if span.name in {"Lambda.Invoke", "chat m", "SQS.SendMessage"}} == {"acme"}


def test_the_apps_own_parameters_stay_as_they_are():
    """It may use them for another tenant's message; OpenTelemetry's instrumentor writes a trace into those for SNS."""
    seen, _, spans = run(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="botocore")
    assert seen["unchanged"] == [
        ["baggage", "color"],
        [["Id", "MessageBody"], ["Id", "MessageAttributes", "MessageBody"]],
    ]
    # And without spans the tenant goes along.
    assert [tenant for _, tenant, _ in seen["received"]] == ["acme", "acme", "acme", None]
    assert {span.name for span in spans} <= {"work", "process q", "POST"}


def test_a_request_of_an_aws_sdk_is_one_to_others_wherever_it_goes():
    """An emulator on loopback, or a store inside, gets no tenant in headers from the client below."""
    with tracium.tenant("acme"):
        assert baggage_for("localhost", (), ("Amz-Sdk-Invocation-Id",), {}) == ""
        assert baggage_for("localhost", (), ("accept",), {}) == "tenant.id=acme"


@pytest.mark.parametrize(
    "attributes",
    [
        {"baggage": {"DataType": "String", "StringValue": "tenant.id=acme"}},
        {"baggage": {"dataType": "String", "stringValue": "tenant.id=acme"}},
        {"baggage": {"Type": "String", "Value": "tenant.id=acme"}},
    ],
)
def test_attributes_in_each_of_their_forms(attributes):
    """From SQS, from an event of Lambda's, from SNS."""
    with tracium.queues.message(attributes):
        assert tracium.get_current_tenant() == "acme"
