"""The equity of the strategy beside buy and hold, and both under water."""

from typing import TYPE_CHECKING

import numpy as np

from backtesting.metrics.growth import Growth
from backtesting.reporting.charts.canvas import (
    POINTS,
    Palette,
    date_axis,
    instants,
    legend,
    line,
    money_axis,
    percent_axis,
    title,
)
from backtesting.reporting.completed_run import CompletedRun
from backtesting.reporting.curve import extremes
from backtesting.types import EquityCurve

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_equity(figure: "Figure", completed: CompletedRun, palette: Palette) -> None:
    """Draw money above, drawdown below."""
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    title(figure, upper, "Equity", completed)
    curves = [("strategy", palette.strategy, completed.growth)]
    if completed.held is not None:
        curves.append(("buy and hold", palette.benchmark, completed.held))
    for layer, (name, colour, growth) in enumerate(curves):
        line(upper, growth.curve, color=colour, label=_label(name, growth), zorder=3 - layer)
        line(lower, _depth(growth), color=colour, linewidth=0.9, zorder=3 - layer)
    depth = extremes(_depth(completed.growth), POINTS)
    lower.fill_between(instants(depth.time), depth.value, color=palette.strategy, alpha=0.25, linewidth=0)
    upper.axhline(completed.capital, color=palette.text, linewidth=0.8, linestyle=":", label="initial capital")

    values = np.concatenate([[completed.capital], *(growth.curve.value for *_, growth in curves)])
    money_axis(upper, f"equity ({completed.asset.currency})", values)
    percent_axis(lower, "drawdown")
    date_axis(lower, completed.equity.time, daily=completed.is_daily)
    figure.align_ylabels()
    legend(figure)


def _depth(growth: Growth) -> EquityCurve:
    return EquityCurve(growth.curve.time, growth.drawdown)


def _label(name: str, growth: Growth) -> str:
    last = float(growth.curve.value[-1])
    return f"{name} {last:,.0f} ({last / growth.capital - 1:+.1%})"
