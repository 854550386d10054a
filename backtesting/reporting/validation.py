"""What was found of a strategy's configuration, in plain text."""

import json

from backtesting.lookahead import LookAheadReport
from backtesting.strategy_check import StrategyReport


def problem_lines(report: StrategyReport) -> str:
    """Return everything that is wrong, and the nearest configuration that is right."""
    suggested = json.dumps(report.suggestion) if report.suggestion else "none is near enough"
    return "\n".join(["not valid:", *(f"- {problem}" for problem in report.problems), f"suggestion: {suggested}"])


def valid_line(report: StrategyReport) -> str:
    """Return what a valid configuration comes to: all its parameters, and the bars it needs first."""
    settling = f" and {report.unstable} more to settle" if report.unstable else ""
    return f"valid: {json.dumps(report.effective)}; needs {report.warmup} bars of warm-up{settling}"


def look_ahead_line(report: LookAheadReport) -> str:
    """Return at how many bars nothing looked ahead, from where all is defined, and what a late start does."""
    told = [
        f"no look-ahead: later bars change nothing at {report.cuts} cuts of a random walk of {report.bars} bars",
        f"there its signals earn {report.total_return:.2%} without costs, {report.delayed_return:.2%} a bar later",
    ]
    if report.drift:
        moved = (f"{name} {'undefined' if share is None else f'{share:.1e}'}" for name, share in report.drift.items())
        told += [
            f"indicators are all defined from bar {report.first_defined} on",
            f"starting only the bars of warm-up and settling before moves them by this fraction: {', '.join(moved)}",
        ]
    return "; ".join(told)
