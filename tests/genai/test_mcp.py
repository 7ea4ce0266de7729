"""MCP: client and server over stdin and stdout, each a process with a tracium of its own. No model is called."""

from __future__ import annotations

import pytest
from genai.harness import ran as running
from genai.rules import told


@pytest.fixture(scope="module")
def ran():
    with running("mcp") as what:
        yield what


def of_the_client(ran, call):
    """The spans of the app itself; the server's are of a process that is told no customer."""
    return [span for span in ran.trace(call) if span.resource["service.name"] != "mcp-server"]


def of_the_server(ran, call):
    return [span for span in ran.trace(call) if span.resource["service.name"] == "mcp-server"]


CALLS = ("tool", "tool-error")


@pytest.mark.parametrize("call", CALLS)
def test_the_clients_spans_are_the_customers(ran, call):
    """All of them."""
    spans = of_the_client(ran, call)
    assert any(span.name.startswith("MCP send tools/call") for span in spans)
    assert {span.tenant for span in spans} == {f"customer-{call}"}


@pytest.mark.parametrize("call", CALLS)
def test_the_servers_spans_continue_the_trace_without_the_customer(ran, call):
    """What a server is told over MCP is no proof, and is not even told."""
    spans = of_the_server(ran, call)
    (tool,) = [span for span in spans if span.attributes.get("gen_ai.operation.name") == "execute_tool"]
    assert tool.parent_id in {span.span_id for span in of_the_client(ran, call)}
    assert {span.tenant for span in spans} == {None}


def test_no_model_call_is_made_of_a_tool_call(ran):
    """Tools cost no tokens, known or unknown."""
    keys = {key for call in CALLS for span in ran.trace(call) for key in span.attributes}
    assert not [key for key in keys if key.startswith(("gen_ai.usage.", "tracium.usage."))]


def test_nothing_that_was_said_is_exported(ran):
    """Neither what tools were given nor what they gave."""
    assert told(ran) == []


def test_its_row_in_the_documentation(ran, account):
    """Says what was measured: of usage there is nothing, and the server answers what it was sent."""
    metas = ran.told_by("meta:")
    assert len(metas) == len(CALLS)
    account(
        "MCP",
        once=None,
        streamed=None,
        span=all(span.tenant == f"customer-{call}" for call in CALLS for span in of_the_client(ran, call)),
        metric=None,
        silent=not told(ran),
        kept=not any("customer-" in meta or "tenant" in meta for meta in metas),
    )


def test_a_tool_that_fails_says_so(ran):
    """On the server's span."""
    (tool,) = [span for span in of_the_server(ran, "tool-error") if "gen_ai.tool.name" in span.attributes]
    assert tool.attributes["error.type"] == "tool_error"
