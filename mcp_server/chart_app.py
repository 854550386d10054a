"""The interactive chart for hosts that render MCP Apps; all others are answered in text and pictures as ever."""

from typing import Any

import structlog
from mcp.server.apps import APP_MIME_TYPE, Apps, ResourceCsp, client_supports_apps
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resources import FunctionResource
from mcp.types import CallToolResult

from backtesting.reporting.html import CURVES, chart_page
from backtesting.reports import Reports

URI = "ui://backtest/chart.html"
SHOWN_BY = {"ui": {"resourceUri": URI}}  # of a tool
SEALED = ResourceCsp(connect_domains=[], resource_domains=[])

log = structlog.stdlib.get_logger("backtesting_mcp")


def chart_app() -> Apps:
    """Return the extension that offers the page."""
    apps = Apps()
    page = FunctionResource.from_function(
        chart_page,
        uri=URI,
        name="chart",
        title="A backtest, to look closer at",
        description="Equity beside buy and hold, and drawdown; for hosts that render MCP Apps.",
        mime_type=APP_MIME_TYPE,
        meta={"ui": {"csp": SEALED.model_dump(by_alias=True, exclude_none=True), "prefersBorder": True}},
    )
    apps.add_resource(page)
    return apps


def with_curves(answer: CallToolResult, context: Context[Any, Any], reports: Reports, run_id: str) -> CallToolResult:
    """Add the curves for a host that renders the page; the answer is whole without, so a failure is only logged."""
    if not client_supports_apps(context):
        return answer
    try:
        return answer.model_copy(update={"meta": {CURVES: reports.curves(run_id)}})
    except Exception:
        log.exception("curves", run_id=run_id)
        return answer
