"""The equity of the strategy beside buy and hold, and both under water."""

from typing import TYPE_CHECKING

import numpy as np

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
from backtesting.reporting.curve import extremes, under_water
from backtesting.types import EquityCurve

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_equity(figure: "Figure", completed: CompletedRun, palette: Palette) -> None:
    """Draw money above, drawdown below."""
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    title(figure, upper, "Equity", completed)
    curves = [("strategy", palette.strategy, completed.equity)]
    if completed.benchmark is not None:
        curves.append(("buy and hold", palette.benchmark, completed.benchmark))
    for layer, (name, colour, curve) in enumerate(curves):
        line(upper, curve, color=colour, label=_label(name, curve, completed.capital), zorder=3 - layer)
        line(lower, under_water(curve, completed.capital), color=colour, linewidth=0.9, zorder=3 - layer)
    depth = extremes(under_water(completed.equity, completed.capital), POINTS)
    lower.fill_between(instants(depth.time), depth.value, color=palette.strategy, alpha=0.25, linewidth=0)
    upper.axhline(completed.capital, color=palette.text, linewidth=0.8, linestyle=":", label="initial capital")

    values = np.concatenate([[completed.capital], *(curve.value for *_, curve in curves)])
    money_axis(upper, f"equity ({completed.asset.currency})", values)
    percent_axis(lower, "drawdown")
    date_axis(lower, completed.equity.time, daily=completed.is_daily)
    figure.align_ylabels()
    legend(figure)


def _label(name: str, curve: EquityCurve, capital: float) -> str:
    last = float(curve.value[-1])
    return f"{name} {last:,.0f} ({last / capital - 1:+.1%})"
