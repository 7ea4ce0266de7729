"""SDKs that inject by themselves: Anthropic's into its requests, MCP's into its messages. Neither gets the tenant."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.app import environment
from support.receiver import http_receiver

APP = Path(__file__).parents[1] / "support" / "apps" / "sdks_app.py"


@pytest.fixture(scope="module", params=["always_on", "always_off"])
def ran(request):
    """What the app saw, its log, its spans, and whether it sampled."""
    with http_receiver() as receiver:
        env = environment(
            receiver, TRACIUM_PROPAGATION_KEY="a key that is long enough", OTEL_TRACES_SAMPLER=request.param
        )
        ended = subprocess.run([sys.executable, str(APP)], env=env, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr[-4000:]
        assert "tracium failed" not in ended.stderr
        return json.loads(ended.stdout), ended.stderr, receiver.spans, request.param == "always_on"


def test_anthropics_requests_have_no_tenant(ran):
    """Although what plays the vendor is on loopback, as a gateway is; the trace and other baggage go along."""
    seen, _, _, _ = ran
    assert len(seen["wire"]) == 2
    assert "acme" not in json.dumps(seen["wire"])
    assert "tenant" not in json.dumps(seen["wire"])
    for each in seen["wire"]:
        headers = {name.lower(): value for name, value in each["headers"]}
        assert headers["baggage"] == "color=red"
        assert "traceparent" in headers


def test_mcps_messages_have_no_tenant(ran):
    """Nor is one believed that is written into them."""
    seen, log, _, _ = ran
    first, spoofed = seen["calls"]
    assert "traceparent" in first["meta"]
    assert "color=red" in json.dumps(first["meta"])
    assert "acme" not in json.dumps(seen["calls"])
    assert "tenant.id" not in json.dumps(first)
    assert spoofed["meta"]["baggage"] == "tenant.id=evil"
    assert [first["tenant"], spoofed["tenant"]] == [None, None]
    assert "evil" not in log


def test_the_calls_belong_to_the_tenant_all_the_same(ran):
    """In what is exported, where the trace is sampled."""
    _, _, spans, sampled = ran
    tenants = {span.name: span.tenant for span in spans}
    if sampled:
        assert tenants["anthropic.messages.create"] == "acme"
        assert "evil" not in {span.tenant for span in spans}
    else:
        assert spans == []
