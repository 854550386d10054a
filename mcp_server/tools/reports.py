"""Tools that show a stored run, and write it to files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ResourceLink, TextContent

from backtesting.errors import BacktestError
from backtesting.reporting.charts import ChartKind, JobChartKind, Theme, render_job
from backtesting.reporting.runs import job_lines
from backtesting.reporting.text import doubts, headline
from backtesting.reports import ExportFormat
from backtesting.types import Job, Run
from mcp_server.chart_app import with_curves
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

    def plot_backtest(
        self,
        context: Context[Any, Any],
        backtest_id: str,
        kind: Literal[ChartKind, JobChartKind] = "equity",
        theme: Theme = "light",
    ) -> CallToolResult:
        """Draw a picture of a run. Use it to see how it went."""
        services = self._services()
        if kind == "walk_forward":
            job = _ended(services.find(backtest_id), kind)
            return CallToolResult(content=[image(render_job(kind, job, theme)), _text(job_lines(job)[1:])])
        run = services.run(backtest_id)
        picture = image(services.reports.chart(run.id, kind, theme))
        lines = [headline(run), f"Picture: {kind}.", *doubts(run.require_summary())]
        answer = CallToolResult(content=[picture, _text(lines)])
        return with_curves(answer, context, services.reports, run.id) if kind == "equity" else answer

    def export_backtest(self, backtest_ids: list[str], format: ExportFormat) -> CallToolResult:  # noqa: A002 - the argument's name on the wire
        """Write runs to files. Use it to keep or share them; html compares up to 6."""
        paths = self._services().reports.export(backtest_ids, format)
        text = TextContent(type="text", text="\n".join(["Written:", *map(str, paths)]))
        return CallToolResult(content=[text, *(link(path) for path in paths)])


def _ended(found: Run | Job, kind: str) -> Job:
    """Return the job whose result is to be drawn."""
    if isinstance(found, Job) and found.kind == kind and found.result:
        return found
    is_open = isinstance(found, Job) and found.kind == kind
    what = f"is {found.status}, not completed" if is_open else f"is no {kind}"
    raise BacktestError(f"kind: {found.id} {what}: give the id of a completed {kind}, or another kind", field="kind")


def _text(lines: Sequence[str]) -> TextContent:
    return TextContent(type="text", text="\n".join(lines))


def link(path: Path) -> ResourceLink:
    """Return where a file is, for clients that open files."""
    return ResourceLink(
        type="resource_link",
        uri=path.as_uri(),
        name=path.name,
        mime_type=MIME_TYPES[path.suffix],
        size=path.stat().st_size,
    )
