"""The tool that hands out the guides, for clients that read no resources."""

from mcp.types import CallToolResult, TextContent

from mcp_server.guides import GUIDES, GuideName


def read_guide(name: GuideName) -> CallToolResult:
    """Read a guide. Use it to learn how to read a result, how fills and costs are simulated, or what metrics mean."""
    return CallToolResult(content=[TextContent(type="text", text=GUIDES[name].text())])
