"""The least an MCP server over stdio can be: the SDK, one tool, nothing of ours."""

from mcp.server import MCPServer

server = MCPServer("bare", version="1")


@server.tool()
def echo(text: str) -> str:
    """Return the text."""
    return text


if __name__ == "__main__":
    server.run()
