"""The page as a whole: its parts, its style and its scripts in one file."""

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template

from backtesting.reporting.completed_run import CompletedRun
from backtesting.reporting.html import sections
from backtesting.reporting.html.curves import curves_json
from backtesting.reporting.html.markup import joined
from backtesting.reporting.text import terms

FOLDER = Path(__file__).parent


def page(runs: Sequence[CompletedRun]) -> str:
    """Return the report of a run, or of several side by side, as HTML of less than 500 kB that loads nothing."""
    title = f"{runs[0].name}, {runs[0].period}" if len(runs) == 1 else f"{len(runs)} backtests side by side"
    about = f"{runs[0].run.id}. {terms(runs[0].run)}" if len(runs) == 1 else ", ".join(run.run.id for run in runs)
    parts = (sections.trades(runs), sections.metrics(runs), sections.provenance(runs))
    scripts = [_text("vendor/uPlot.iife.min.js"), _text("report.js")]
    return Template(_text("page.html")).substitute(
        title=escape(title),
        about=escape(about),
        style=_text("vendor/uPlot.min.css") + _text("report.css"),
        verdict=sections.verdict(runs).html,
        rest=joined(parts).html,
        data=curves_json(runs),
        scripts="".join(f"<script>{script}</script>" for script in scripts),
        allowed=" ".join(_fingerprint(script) for script in scripts),
    )


@cache
def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _fingerprint(script: str) -> str:
    """Return what names a script in the page's policy, so that no other one can run."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
