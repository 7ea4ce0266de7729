"""The calls of an MCP client to a server of its own, over stdin and stdout."""

from __future__ import annotations

import os
import sys

from calls import run, start

start()

from mcp import StdioServerParameters  # noqa: E402 - traced before
from mcp.client import Client  # noqa: E402
from mcp.server.mcpserver import Context as ToolContext  # noqa: E402
from mcp.server.mcpserver import MCPServer  # noqa: E402

SERVERS = {**os.environ, "OTEL_SERVICE_NAME": "mcp-server"}


def tell_meta(context):
    """Write down what came along with a call, for the test."""
    sys.stderr.write(f"meta: {dict(context.request_context.meta or {})}\n")


def serve():
    """Offer tools over stdin and stdout."""
    server = MCPServer("tools")

    @server.tool()
    def weather(city: str, context: ToolContext) -> str:
        """Tell the weather of a city."""
        tell_meta(context)
        return f"sun in {city}"

    @server.tool()
    def storm(context: ToolContext) -> str:
        """Fail."""
        tell_meta(context)
        raise ValueError("storm")

    server.run("stdio")


async def use(tool, given):
    there = StdioServerParameters(command=sys.executable, args=[__file__, "serve"], env=SERVERS)
    async with Client(there) as client:
        return await client.call_tool(tool, given)


if sys.argv[1:] == ["serve"]:
    serve()
    sys.exit()

run(
    {
        "tool": lambda: use("weather", {"city": "Paris"}),
        "tool-error": lambda: use("storm", {}),
    }
)
