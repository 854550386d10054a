"""How a call is answered: in text and in structure, or with an error."""

from base64 import b64encode

from mcp.types import CallToolResult, ImageContent, TextContent
from pydantic import BaseModel

from backtesting.errors import BacktestError


def reply(structure: BaseModel, text: str, *pictures: ImageContent) -> CallToolResult:
    """Answer a call with both forms, pictures after them; a field that nothing was said of is left out."""
    content = [TextContent(type="text", text=text), *pictures]
    return CallToolResult(content=content, structured_content=structure.model_dump(mode="json", exclude_unset=True))


def image(png: bytes) -> ImageContent:
    """Return a picture as a client shows it."""
    return ImageContent(type="image", data=b64encode(png).decode(), mime_type="image/png")


def refusal(error: BacktestError) -> CallToolResult:
    """Answer a call with an error the model can act on.

    It carries text alone: clients check structured content against the tool's output schema, errors included.
    """
    stored = f" (kept as failed run {error.run_id})" if error.run_id else ""
    return CallToolResult(content=[TextContent(type="text", text=f"{error}{stored}")], is_error=True)
