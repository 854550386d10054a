"""The page as a whole: its parts, its style and its scripts in one file."""

from collections.abc import Sequence
from html import escape
from string import Template

from backtesting.reporting.completed_run import CompletedRun
from backtesting.reporting.html import sections
from backtesting.reporting.html.curves import as_json, curves
from backtesting.reporting.html.files import elements, fingerprint, text
from backtesting.reporting.html.markup import joined
from backtesting.reporting.text import terms


def page(runs: Sequence[CompletedRun]) -> str:
    """Return the report of a run, or of several side by side, as HTML of less than 500 kB that loads nothing."""
    title = f"{runs[0].name}, {runs[0].period}" if len(runs) == 1 else f"{len(runs)} backtests side by side"
    about = f"{runs[0].run.id}. {terms(runs[0].run)}" if len(runs) == 1 else ", ".join(run.run.id for run in runs)
    parts = (sections.trades(runs), sections.metrics(runs), sections.provenance(runs))
    scripts = [text("vendor/uPlot.iife.min.js"), text("curves.js"), text("report.js")]
    return Template(text("page.html")).substitute(
        title=escape(title),
        about=escape(about),
        style=text("vendor/uPlot.min.css") + text("report.css"),
        verdict=sections.verdict(runs).html,
        rest=joined(parts).html,
        data=as_json(curves(runs)),
        scripts=elements(scripts),
        allowed=" ".join(map(fingerprint, scripts)),
    )
