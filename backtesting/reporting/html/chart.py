"""The page that draws a run inside a chat: one file that is told by its host what to show."""

from string import Template
from typing import Any

from backtesting import VERSION
from backtesting.diagnostics.verdict import verdict
from backtesting.reporting.completed_run import CompletedRun
from backtesting.reporting.html.curves import curves
from backtesting.reporting.html.files import elements, fingerprint, text

CURVES = "backtesting-mcp/curves"  # the name under which an answer carries them
POINTS = 800


def chart_page() -> str:
    """Return the page; it loads nothing, and draws what `chart_of` returned."""
    own = text("chart.js").replace("$curves", CURVES).replace("$version", VERSION)
    scripts = [text("vendor/uPlot.iife.min.js"), text("curves.js"), own]
    return Template(text("chart.html")).substitute(
        style=text("vendor/uPlot.min.css") + text("report.css") + text("chart.css"),
        scripts=elements(scripts),
        allowed=" ".join(map(fingerprint, scripts)),
    )


def chart_of(run: CompletedRun) -> dict[str, Any]:
    """Return what the page needs to draw a run, as JSON of some kilobytes."""
    return {
        "title": f"{run.name}, {run.period}",
        "verdict": verdict(run.summary) or "Nobody has reviewed this run.",
        **curves([run], POINTS),
    }
