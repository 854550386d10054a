"""How a call is answered: in text and in structure, or with an error."""

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel

from backtesting.errors import BacktestError


def reply(structure: BaseModel, text: str) -> CallToolResult:
    """Answer a call with both forms."""
    content = TextContent(type="text", text=text)
    return CallToolResult(content=[content], structured_content=structure.model_dump(mode="json"))


def refusal(error: BacktestError) -> CallToolResult:
    """Answer a call with an error the model can act on.

    It carries text alone: clients check structured content against the tool's output schema, errors included.
    """
    stored = f" (kept as failed run {error.run_id})" if error.run_id else ""
    return CallToolResult(content=[TextContent(type="text", text=f"{error}{stored}")], is_error=True)
