"""SDKs that inject by themselves: Anthropic's against a server that plays it, MCP's over stdin and stdout; prints the wire."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.server.mcpserver import Context as ToolContext
from mcp.server.mcpserver import MCPServer
from opentelemetry import baggage
from opentelemetry.context import Context, attach
from opentelemetry.trace import get_tracer

import tracium

wire = []
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 5},
}


class Vendor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        wire.append({"headers": [list(pair) for pair in self.headers.items()], "body": body})
        answer = json.dumps(MESSAGE).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


async def ask(url):
    asked = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    with anthropic.Anthropic(base_url=url, api_key="k") as client:
        client.messages.create(**asked)
    async with anthropic.AsyncAnthropic(base_url=url, api_key="k") as client:
        await client.messages.create(**asked)


def serve():
    """Offer a tool over stdin and stdout that tells what came with its call."""
    server = MCPServer("tools")

    @server.tool()
    def look(context: ToolContext) -> str:
        meta = json.loads(json.dumps(dict(context.request_context.meta or {}), default=str))
        return json.dumps({"meta": meta, "tenant": tracium.get_current_tenant()})

    server.run("stdio")


async def use_tool(told):
    there = StdioServerParameters(command=sys.executable, args=[__file__, "serve"], env=dict(os.environ))
    async with Client(there) as client:
        answer = await client.call_tool("look", {})
        # Without baggage of its own the SDK leaves in the message what the caller wrote there.
        attach(Context())
        spoofed = await client.call_tool("look", {}, meta={"baggage": "tenant.id=evil"})
        told["calls"] = [json.loads(each.content[0].text) for each in (answer, spoofed)]


async def main(url, told):
    attach(baggage.set_baggage("color", "red"))
    with tracium.tenant("acme"), get_tracer("app").start_as_current_span("work"):
        await ask(url)
    with tracium.tenant("acme"), get_tracer("app").start_as_current_span("work"):
        await use_tool(told)


if __name__ == "__main__":
    tracium.trace()
    if sys.argv[1:] == ["serve"]:
        serve()
        sys.exit()
    vendor = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    threading.Thread(target=vendor.serve_forever, args=(0.02,), daemon=True).start()
    result = {}
    asyncio.run(main(f"http://127.0.0.1:{vendor.server_port}", result))
    sys.stdout.write(json.dumps(result | {"wire": wire}))
    tracium.shutdown()
