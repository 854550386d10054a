"""Tools that show a stored run, and write it to files."""

from collections.abc import Callable
from pathlib import Path

from mcp.types import CallToolResult, ResourceLink, TextContent

from backtesting.reporting.charts import ChartKind, Theme
from backtesting.reporting.text import doubts, headline
from backtesting.reports import ExportFormat
from mcp_server.schemas.answers import image
from mcp_server.services import Services

MIME_TYPES = {
    ".html": "text/html",
    ".csv": "text/csv",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
}


class ReportTools:
    """The tools; the services are opened by the first call that needs them.

    They answer without structure: clients that are given one show nothing else, and pictures and links are the point.
    """

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def plot_backtest(self, backtest_id: str, kind: ChartKind = "equity", theme: Theme = "light") -> CallToolResult:
        """Draw a run. Use it to show how it went."""
        services = self._services()
        run = services.run(backtest_id)
        picture = image(services.reports.chart(run.id, kind, theme))
        lines = [headline(run), f"Picture: {kind}.", *doubts(run.require_summary())]
        return CallToolResult(content=[picture, TextContent(type="text", text="\n".join(lines))])

    def export_backtest(self, backtest_ids: list[str], format: ExportFormat) -> CallToolResult:  # noqa: A002 - the argument's name on the wire
        """Write runs to files. Use it to keep or share them; html compares up to 6."""
        paths = self._services().reports.export(backtest_ids, format)
        text = TextContent(type="text", text="\n".join(["Written:", *map(str, paths)]))
        return CallToolResult(content=[text, *(link(path) for path in paths)])


def link(path: Path) -> ResourceLink:
    """Return where a file is, for clients that open files."""
    return ResourceLink(
        type="resource_link",
        uri=path.as_uri(),
        name=path.name,
        mime_type=MIME_TYPES[path.suffix],
        size=path.stat().st_size,
    )
